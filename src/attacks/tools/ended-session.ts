import { setTimeout as sleep } from 'node:timers/promises';
import type { ProbeTries } from '../attack.js';
import type { AttackBrowser } from './browser.js';
import { userOf } from './shop.js';
import type { Target } from './target.js';

const pollMs = 20;

export interface EndedSession {
  readonly user: string;
  /** `performance.now()` when the end was acknowledged. */
  readonly atMs: number;
  /** The revocation lag that the mode states. */
  readonly lagMs: number;
}

/** Records that the session of this user has ended at this moment. */
export function markEnded({ revocationLagMs: lagMs }: Target, user: string): EndedSession {
  return { user, atMs: performance.now(), lagMs };
}

/**
 * Uses the token of an ended session again and again until it is refused. A use that is accepted after the stated lag
 * is a success of the attack. A use that is accepted before that is only recorded as lag.
 */
export async function tryEnded(
  tries: ProbeTries,
  what: string,
  thief: AttackBrowser,
  ended: EndedSession,
): Promise<void> {
  for (;;) {
    const sinceMs = performance.now() - ended.atMs;
    // A copy each time: an answer that clears the cookie must not disarm the next try.
    const answer = await thief.copy().get('/me');
    const isAccepted = userOf(answer) === ended.user;
    const isLate = sinceMs >= ended.lagMs;
    if (!isAccepted || isLate) tries.add(what, isAccepted, answer);
    if (isAccepted) tries.noteLag(sinceMs);
    if (!isAccepted || isLate) return;
    await sleep(pollMs);
  }
}

/** Uses the token of an ended session through the proxy and on every backend, as `tryEnded` does. */
export async function tryEndedEverywhere(
  target: Target,
  tries: ProbeTries,
  when: string,
  thief: AttackBrowser,
  ended: EndedSession,
): Promise<void> {
  await tryEnded(tries, `a session was accepted through the proxy ${when}`, thief, ended);
  for (const { name, url } of target.backends)
    await tryEnded(tries, `a session was accepted by ${name} ${when}`, thief.copy(url), ended);
}
