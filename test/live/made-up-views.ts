import { noCounts as noUserCounts } from '#src/live/live-user.js';
import type { SideView, UserStateName, UserView } from '#src/live/protocol.js';

export const noCounts: SideView['counts'] = { ...noUserCounts, exposed: null, p99Ms: null };

export function madeUpUser(number: number, state: UserStateName = 'in', member = 'backend-1'): UserView {
  return { name: `user-${number}`, state, member };
}

/** Returns a running side with two users and two members. */
export function madeUpView(changed: Partial<SideView> = {}): SideView {
  return {
    mode: 'sticky',
    stage: 'running',
    nowMs: 1000,
    users: [madeUpUser(1), madeUpUser(2, 'in', 'backend-2')],
    members: [
      { name: 'proxy', role: 'proxy', state: 'up', sinceMs: 0 },
      { name: 'backend-2', role: 'backend', state: 'up', sinceMs: 0, bound: 1 },
    ],
    counts: noCounts,
    strikes: [],
    bins: [{ atMs: 0, ok: 4, failed: 0, unknown: 0, p50Ms: 2, p99Ms: 3 }],
    marks: [],
    offers: [
      { target: 'backend-2', member: 'backend-2', faults: [{ name: 'kill', summary: 'kills it', options: [] }] },
    ],
    ...changed,
  };
}
