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
  const here = routes.flatMap(route => {
    const parameter = parameterOf(route.path, path);
    return parameter === undefined ? [] : [{ route, parameter }];
  });
  if (here.length === 0) throw new NotFound(path, [...new Set(routes.map(route => route.path))]);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const match = here.find(({ route }) => route.method === wanted);
  if (match === undefined) throw new WrongMethod(method, path, here.flatMap(allowedBy));
  return match;
}

function parameterOf(pattern: string, path: string): string | undefined {
  const [fixed = '', name] = pattern.split(':');
  if (name === undefined) return path === pattern ? '' : undefined;
  const rest = path.startsWith(fixed) ? path.slice(fixed.length) : '';
  return rest === '' || rest.includes('/') ? undefined : rest;
}

function allowedBy({ route }: Match): string[] {
  return route.method === 'GET' ? ['GET', 'HEAD'] : [route.method];
}
