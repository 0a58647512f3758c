import type { Reply, SessionContext } from '#src/sessions/visit.js';
import { refuseOtherBrowser } from '../accounts/password-try.js';
import type { Call } from '../call.js';
import { json, NotFound, WrongMethod } from '../refusal.js';

interface Place {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** A path; its last step may be `:name`, which takes one non-empty step. */
  readonly path: string;
}

/** Answers without looking at the session, and therefore without the store. */
export interface PlainRoute extends Place {
  readonly kind: 'plain';
  readonly act: (call: Call) => Reply | Promise<Reply>;
}

export type VisitAction = (call: Call, visit: SessionContext) => Promise<Reply>;

/** Answers a visitor, known or anonymous. */
export interface VisitRoute extends Place {
  readonly kind: 'visit';
  readonly act: VisitAction;
}

export type Route = PlainRoute | VisitRoute;

export interface Match {
  readonly route: Route;
  readonly parameter: string;
}

/** Throws `NotFound` for a path that no route has, `WrongMethod` for one that has others. HEAD goes where GET goes. */
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

export function plain(method: PlainRoute['method'], path: string, act: PlainRoute['act']): PlainRoute {
  return { kind: 'plain', method, path, act };
}

/** A session that was begun in another browser may not come along. */
export function visit(method: VisitRoute['method'], path: string, act: VisitAction): VisitRoute {
  return fromAnyBrowser(method, path, async (call, visit) => {
    refuseOtherBrowser(call.agent, visit.session?.record.data);
    return act(call, visit);
  });
}

/** For the ways out of that: they end the session, or ask for the password. */
export function fromAnyBrowser(method: VisitRoute['method'], path: string, act: VisitAction): VisitRoute {
  return { kind: 'visit', method, path, act };
}

type MemberAction = (call: Call, visit: SessionContext, user: string) => Promise<Reply>;

/** A route for those who are logged in. */
export function member(method: VisitRoute['method'], path: string, act: MemberAction): VisitRoute {
  return visit(method, path, membersOnly(act));
}

/** The others learn that they are not logged in, and why. */
export function membersOnly(act: MemberAction): VisitAction {
  return async (call, visit) => {
    const user = visit.session?.record.user;
    if (user !== undefined) return act(call, visit, user);
    return json(401, { error: 'please log in', why: visit.why ?? null, affinity: call.affinity });
  };
}
