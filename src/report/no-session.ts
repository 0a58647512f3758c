import type { Findings, NoSessionReason } from '../simulator/checker/findings.js';
import { count } from './words.js';

/** Why a request had no session, in the words that the backends count by. */
export const reasons = {
  absent: 'no cookie came: a first visit, or after a logout',
  malformed: 'no token at all by its looks',
  unknown: 'the store does not know it: lost, evicted, or ended',
  expired: 'past its own deadline',
  forged: 'sealed or signed with a key that is not in the ring, or altered',
  revoked: 'ended on purpose, and refused for it',
} as const satisfies Record<NoSessionReason, string>;

export const reasonNames = Object.keys(reasons) as readonly NoSessionReason[];

/** `118 forged, 4 unknown`: what a token that came was refused for, the most frequent first; empty when none was. */
export function refusals({ noSession }: Findings): string {
  return reasonNames
    .filter(reason => reason !== 'absent')
    .map(reason => ({ reason, times: noSession[reason] ?? 0 }))
    .filter(({ times }) => times > 0)
    .sort((a, b) => b.times - a.times)
    .map(({ reason, times }) => `${count(times)} ${reason}`)
    .join(', ');
}
