import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, notApplicable, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { type AttackBrowser, type BrowserAnswer, sessionCookie } from '../tools/browser.js';
import { cookieOf, genuine, readToken } from '../tools/forge-jwt.js';
import { loggedIn } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

/**
 * A whole cookie is stolen, access and refresh token, and used after its owner has had new ones. Nobody waits for the
 * access tokens to run out: with the shop's key they are signed again as they will look five minutes later.
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
  run,
};

/** An access token lives five minutes at most. */
const agedS = 600;

async function run(target: Target) {
  if (target.strategy !== 'jwt') return notApplicable('there is no refresh token');
  const tries = new Tries();
  const { user, browser: owner } = await loggedIn(target);
  const thief = await aged(target, owner);
  await renew(target, owner, user);
  const retry = thief.copy();
  const again = await retry.get('/cart');
  const isFork = isTaken(again, user) && refreshOf(retry) !== refreshOf(owner);
  tries.add('the thief was given a successor of his own', isFork, again);
  await renew(target, owner, user);
  for (const path of ['/cart', '/me']) {
    const late = await thief.copy().get(path);
    tries.add('the thief was let in with a retired refresh token', isTaken(late, user), late);
  }
  await sleep(target.revocationLagMs);
  for (const [whose, browser] of [
    ['owner', owner],
    ['owner, aged,', await aged(target, owner)],
    ['thief', thief],
    ['retrying thief', retry],
  ] as const) {
    const after = await browser.copy().get('/cart');
    tries.add(`after the reuse the family lived on with the ${whose}`, isTaken(after, user), after);
  }
  return tries.result();
}

/** The owner's browser comes back when its access token is over. */
async function renew(target: Target, owner: AttackBrowser, user: string): Promise<void> {
  const before = refreshOf(owner);
  owner.cookies.set(sessionCookie, (await aged(target, owner)).token);
  const answer = await owner.get('/cart');
  if (!isTaken(answer, user)) throw new Inconclusive('the owner was logged out before anything was stolen');
  if (refreshOf(owner) === before) throw new Inconclusive('the refresh token was not exchanged when it was due');
}

/** A copy in which the access token is over. */
async function aged(target: Target, browser: AttackBrowser): Promise<AttackBrowser> {
  const token = readToken(browser.token);
  if (token === undefined) throw new Inconclusive('the session cookie of mode jwt holds no signed token');
  const { header, claims, refresh } = token;
  const [iat, exp] = [Number(claims.iat) - agedS, Number(claims.exp) - agedS];
  const cookie = cookieOf(header, { claims: { ...claims, iat, exp }, refresh }, genuine(await target.keyRing()));
  return browser.thief(cookie);
}

function refreshOf({ cookies }: AttackBrowser): string | undefined {
  return readToken(cookies.get(sessionCookie) ?? '')?.refresh;
}

function isTaken({ status, json }: BrowserAnswer, user: string): boolean {
  return status === 200 && json.user === user;
}
