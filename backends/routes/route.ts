import type { Reply, SessionContext } from '#src/sessions/session-context.js';
import { refuseOtherBrowser } from '../accounts/password-try.js';
import type { Call } from '../call.js';
import { json, NotFound, WrongMethod } from '../refusal.js';

interface RoutePattern {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** A path. Its last segment may be `:name`, which matches one non-empty segment. */
  readonly path: string;
}

/** A route that does not read the session, and therefore does not need the store. */
export interface PlainRoute extends RoutePattern {
  readonly kind: 'plain';
  readonly act: (call: Call) => Reply | Promise<Reply>;
}

export type SessionAction = (call: Call, sessionRoute: SessionContext) => Promise<Reply>;

/** A route that reads the session of the visitor, who may be anonymous. */
export interface SessionRoute extends RoutePattern {
  readonly kind: 'session';
  readonly act: SessionAction;
}

export type Route = PlainRoute | SessionRoute;

export interface Match {
  readonly route: Route;
  readonly parameter: string;
}

/** Finds the route. Throws `NotFound` for an unknown path, and `WrongMethod` if the path has other methods. HEAD uses
 * the route of GET. */
export function matchRoute(routes: readonly Route[], method: string, path: string): Match {
  const wanted = method === 'HEAD' ? 'GET' : method;
  for (const route of routes) {
    const parameter = route.method === wanted ? parameterOf(route.path, path) : undefined;
    if (parameter !== undefined) return { route, parameter };
  }
  const here = routes.filter(route => parameterOf(route.path, path) !== undefined);
  if (here.length === 0) throw new NotFound(path, [...new Set(routes.map(route => route.path))]);
  throw new WrongMethod(method, path, here.flatMap(allowedBy));
}

function parameterOf(pattern: string, path: string): string | undefined {
  const nameAt = pattern.indexOf(':');
  if (nameAt === -1) return path === pattern ? '' : undefined;
  const rest = path.startsWith(pattern.slice(0, nameAt)) ? path.slice(nameAt) : '';
  return rest === '' || rest.includes('/') ? undefined : rest;
}

function allowedBy({ method }: Route): string[] {
  return method === 'GET' ? ['GET', 'HEAD'] : [method];
}

export function plainRoute(method: PlainRoute['method'], path: string, act: PlainRoute['act']): PlainRoute {
  return { kind: 'plain', method, path, act };
}

/** Makes a route that refuses a session from another browser. */
export function sessionRoute(method: SessionRoute['method'], path: string, act: SessionAction): SessionRoute {
  return anyBrowserRoute(method, path, async (call, context) => {
    refuseOtherBrowser(call.agent, context.session?.record.data);
    return act(call, context);
  });
}

/** Makes a route that accepts a session from another browser: the routes that end a session or ask for the password. */
export function anyBrowserRoute(method: SessionRoute['method'], path: string, act: SessionAction): SessionRoute {
  return { kind: 'session', method, path, act };
}

type MemberAction = (call: Call, context: SessionContext, user: string) => Promise<Reply>;

/** Makes a route for logged-in users. */
export function memberRoute(method: SessionRoute['method'], path: string, act: MemberAction): SessionRoute {
  return sessionRoute(method, path, requireMember(act));
}

/** Answers 401 with the reason if no user is logged in. */
export function requireMember(act: MemberAction): SessionAction {
  return async (call, context) => {
    const user = context.session?.record.user;
    if (user !== undefined) return act(call, context, user);
    return json(401, { error: 'please log in', why: context.why ?? null, affinity: call.affinity });
  };
}
