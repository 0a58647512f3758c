import type { FastifyPluginAsync } from 'fastify';
import { assertSessions, type Sessions } from '../sessions.js';
import type { AppSession } from './app-session.js';

export * from '../index.js';

declare module 'fastify' {
  interface FastifyRequest {
    session: AppSession;
  }
}

/**
 * Returns the plug-in for Fastify 5. It sets `request.session` on every route. If the store is unreachable, the request
 * fails with `StoreUnavailable`: Fastify answers 503 with Retry-After, unless the app has an error handler of its own.
 */
export function fastifySessions(kept: Pick<Sessions, 'open'>): FastifyPluginAsync {
  assertSessions(kept, 'fastifySessions');
  const { open } = kept;
  const plugin: FastifyPluginAsync = async app => {
    app.decorateRequest('session');
    app.addHook('onRequest', async (request, reply) => {
      request.session = await open(request.raw, reply.raw);
    });
  };
  // Without it, only routes inside this plug-in would have the session.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}
