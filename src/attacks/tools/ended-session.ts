import { setTimeout as sleep } from 'node:timers/promises';
import type { Tries } from '../attack.js';
import type { AttackBrowser } from './browser.js';
import { userOf } from './shop.js';
import type { Target } from './target.js';

const pollMs = 20;

export interface Ended {
  readonly user: string;
  /** `performance.now()` when the end was acknowledged. */
  readonly atMs: number;
  /** What the mode states. */
  readonly lagMs: number;
}

/** Of a user whose session has this moment been ended. */
export function endedNow({ revocationLagMs: lagMs }: Target, user: string): Ended {
  return { user, atMs: performance.now(), lagMs };
}

/**
 * Uses a token that was ended, again and again until it is refused. A use that begins when the stated lag is over and is
 * honoured all the same has gone through; one before that is only noted.
 */
export async function tryEnded(tries: Tries, what: string, thief: AttackBrowser, ended: Ended): Promise<void> {
  for (;;) {
    const sinceMs = performance.now() - ended.atMs;
    // A copy each time: an answer that clears the cookie must not make the next try a harmless one.
    const answer = await thief.copy().get('/me');
    const honoured = userOf(answer) === ended.user;
    const isLate = sinceMs >= ended.lagMs;
    if (!honoured || isLate) tries.add(what, honoured, answer);
    if (honoured) tries.noteLag(sinceMs);
    if (!honoured || isLate) return;
    await sleep(pollMs);
  }
}

/** The same through the proxy and on every backend. */
export async function tryEndedEverywhere(
  target: Target,
  tries: Tries,
  which: string,
  thief: AttackBrowser,
  ended: Ended,
): Promise<void> {
  await tryEnded(tries, `a session was honoured through the proxy ${which}`, thief, ended);
  for (const { name, url } of target.backends)
    await tryEnded(tries, `a session was honoured by ${name} ${which}`, thief.copy(url), ended);
}
