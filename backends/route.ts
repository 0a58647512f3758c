import type { Reply, Visit } from '#src/sessions/sessions.js';
import type { Call } from './call.js';
import { NotFound, WrongMethod } from './refusal.js';

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

export type VisitAction = (call: Call, visit: Visit) => Promise<Reply>;

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
