import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, notApplicable, Tries } from '../attack.js';
import { type Answer, type Browser, sessionCookie } from '../browser.js';
import { Inconclusive } from '../errors.js';
import { readToken } from '../forge-jwt.js';
import { loggedIn } from '../shop.js';
import type { Target } from '../target.js';

/**
 * A whole cookie is stolen, access and refresh token, and used after its owner has had new ones.
 *
 * It has gone through when the thief is taken for the owner; when the thief is given another successor than the owner
 * (two would live on side by side); or when, after a retired token was used, the family still opens anything once the
 * stated lag is over. Within 10 s of an exchange its token is given the successor again, which is the owner's own: a
 * retry looks like that. A thief that fast has what the owner has, until one of the two is later than that.
 */
export const refreshStolen: Attack = {
  title: 'use a stolen refresh token after its owner: within the grace of a retry, and when it was retired',
  asvs: ['RFC 9700'],
  weak: ['jwt-trusting'],
  shortLimits: true,
  run,
};

const pollMs = 25;

async function run(target: Target) {
  if (target.strategy !== 'jwt') return notApplicable('there is no refresh token');
  const tries = new Tries();
  const { user, browser: owner } = await loggedIn(target);
  const witness = await loggedIn(target);
  const thief = owner.copy();
  const first = await renewed(target, owner, user);
  const retry = thief.copy();
  const again = await retry.get('/cart');
  const isFork = isTaken(again, user) && refreshOf(retry) !== first;
  tries.add('the thief was given a successor of his own', isFork, again);
  await Promise.all([renewed(target, owner, user), renewed(target, witness.browser, witness.user)]);
  for (const path of ['/cart', '/me']) {
    const late = await thief.copy().get(path);
    tries.add('the thief was let in with a retired refresh token', isTaken(late, user), late);
  }
  const usedAtMs = performance.now();
  await sleep(target.revocationLagMs);
  for (const [whose, browser] of [
    ['owner', owner],
    ['thief', thief],
    ['retrying thief', retry],
  ] as const) {
    const after = await browser.copy().get('/cart');
    const sinceMs = Math.round(performance.now() - usedAtMs);
    tries.add(`${sinceMs} ms after the reuse the family lived on with the ${whose}`, isTaken(after, user), after);
  }
  if (!isTaken(await witness.browser.get('/cart'), witness.user))
    throw new Inconclusive('by then everybody was logged out, not only the family that was stolen from');
  return tries.result();
}

/** Waits until the owner's refresh token has been exchanged; resolves with the new one. */
async function renewed(target: Target, owner: Browser, user: string): Promise<string> {
  const before = refreshOf(owner);
  const untilMs = performance.now() + target.limits.idleMs;
  for (;;) {
    const answer = await owner.get('/cart');
    if (!isTaken(answer, user)) throw new Inconclusive('the owner was logged out before anything was stolen');
    const now = refreshOf(owner);
    if (now !== undefined && now !== before) return now;
    if (performance.now() > untilMs) throw new Inconclusive('the refresh token was not exchanged in time');
    await sleep(pollMs);
  }
}

function refreshOf({ cookies }: Browser): string | undefined {
  return readToken(cookies.get(sessionCookie) ?? '')?.refresh;
}

function isTaken({ status, json }: Answer, user: string): boolean {
  return status === 200 && json.user === user;
}
