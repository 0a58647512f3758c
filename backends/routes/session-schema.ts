import { SessionGone } from '#src/sessions/errors.js';
import type { SessionContext } from '#src/sessions/session-context.js';
import type { Route } from './route.js';

/**
 * Writes sessions in a schema, and reads only sessions of the same schema. An app that cannot read a session of its
 * other version treats the visitor as anonymous in the same way. Undefined: every session can be read.
 */
export function withSchema(schema: string | undefined, routes: readonly Route[]): readonly Route[] {
  if (schema === undefined) return routes;
  return routes.map(route =>
    route.kind === 'plain' ? route : { ...route, act: (call, context) => route.act(call, hideOthers(schema, context)) },
  );
}

/** Hides a session of another schema. A login still ends it, and so does a logout. */
function hideOthers(schema: string, context: SessionContext): SessionContext {
  const isHidden = () => context.session !== undefined && context.session.record.data.schema !== schema;
  const readable = (): SessionContext => {
    if (isHidden()) throw new SessionGone();
    return context;
  };
  return {
    get session() {
      return isHidden() ? undefined : context.session;
    },
    get why() {
      return isHidden() ? 'malformed' : context.why;
    },
    get handle() {
      return isHidden() ? undefined : context.handle;
    },
    begin: (user, data) => context.begin(user, { ...data, schema }),
    change: async edit => readable().change(edit),
    rotate: async edit => readable().rotate(edit),
    end: () => context.end(),
    endOthers: async () => readable().endOthers(),
  };
}
