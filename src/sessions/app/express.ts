import type { IncomingMessage, ServerResponse } from 'node:http';
import { assertSessions, type Sessions } from '../sessions.js';
import type { AppSession } from './app-session.js';

export * from '../index.js';

declare global {
  namespace Express {
    interface Request {
      session: AppSession;
    }
  }
}

/**
 * Returns the middleware for Express 5. It sets `request.session`. If the store is unreachable, the request fails with
 * `StoreUnavailable`: Express answers 503 with Retry-After, unless the app has an error handler of its own.
 */
export function expressSessions(kept: Pick<Sessions, 'open'>) {
  assertSessions(kept, 'expressSessions');
  const { open } = kept;
  return async (
    request: IncomingMessage & { session?: AppSession },
    response: ServerResponse,
    next: () => void,
  ): Promise<void> => {
    request.session = await open(request, response);
    next();
  };
}
