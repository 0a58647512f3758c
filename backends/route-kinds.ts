import type { Reply, Visit } from '#src/sessions/sessions.js';
import { refuseOtherBrowser } from './browser-family.js';
import type { Call } from './call.js';
import { json } from './reply.js';
import type { PlainRoute, VisitAction, VisitRoute } from './route.js';

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

export type MemberAction = (call: Call, visit: Visit, user: string) => Promise<Reply>;

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
