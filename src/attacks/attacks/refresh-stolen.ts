import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, notApplicable, Tries } from '../attack.js';
import { Inconclusive } from '../errors.js';
import { type AttackBrowser, type BrowserAnswer, sessionCookie } from '../tools/browser.js';
import { buildCookie, makeShopSigner, readToken } from '../tools/forge-jwt.js';
import { logInFreshUser } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const probes = {
  'a second successor': ['jwt-without-denylist'],
  'a retired token': ['jwt-without-denylist'],
  'the family after a reuse': ['jwt-without-denylist'],
} as const;

/**
 * A thief steals a whole cookie (access and refresh token) and uses it after its owner has received new tokens. The
 * attack does not wait until the access tokens expire: it signs them again with the key of the shop, with earlier
 * times.
 *
 * It succeeds in three cases. The shop accepts the thief as the owner with a retired token. Or it gives the thief
 * another successor than the owner, so that both stay valid. Or a retired token was used, and the token family still
 * opens a session after the stated lag.
 *
 * Within 10 s of an exchange the old token yields the same successor again, because a retry looks like that. A thief
 * within that time holds the same tokens as the owner, until one of the two is later than the other by more than 10 s.
 */
export const refreshStolen: Attack = {
  title: 'use a stolen refresh token after its owner: within the grace period for retries, and after it was retired',
  asvs: ['RFC 9700'],
  probes,
  run,
};

/** Moves the times of a token back by this much: an access token lives five minutes at most. */
const agedS = 600;

async function run(target: Target) {
  if (target.strategy !== 'jwt') return notApplicable('there is no refresh token');
  const tries = new Tries<keyof typeof probes>();
  const { user, browser: owner } = await logInFreshUser(target);
  const thief = await expireAccessToken(target, owner);
  await renew(target, owner, user);
  const retry = thief.copy();
  const again = await retry.get('/cart');
  const isFork = isTaken(again, user) && refreshOf(retry) !== refreshOf(owner);
  tries.of('a second successor').add('the thief received a successor of their own', isFork, again);
  await renew(target, owner, user);
  for (const path of ['/cart', '/me']) {
    const late = await thief.copy().get(path);
    tries.of('a retired token').add('a retired refresh token was accepted', isTaken(late, user), late);
  }
  await sleep(target.revocationLagMs);
  for (const [holder, browser] of [
    ['owner', owner],
    ['owner, aged,', await expireAccessToken(target, owner)],
    ['thief', thief],
    ['retrying thief', retry],
  ] as const) {
    const after = await browser.copy().get('/cart');
    const isValid = isTaken(after, user);
    tries
      .of('the family after a reuse')
      .add(`after the reuse the token family was still valid for the ${holder}`, isValid, after);
  }
  return tries.result();
}

/** Sends a request of the owner with an expired access token, so that the shop exchanges the refresh token. */
async function renew(target: Target, owner: AttackBrowser, user: string): Promise<void> {
  const before = refreshOf(owner);
  owner.cookies.set(sessionCookie, (await expireAccessToken(target, owner)).token);
  const answer = await owner.get('/cart');
  if (!isTaken(answer, user)) throw new Inconclusive('the owner was logged out before anything was stolen');
  if (refreshOf(owner) === before) throw new Inconclusive('the refresh token was not exchanged when it was due');
}

/** Returns a copy of the browser with an expired access token. */
async function expireAccessToken(target: Target, browser: AttackBrowser): Promise<AttackBrowser> {
  const token = readToken(browser.token);
  if (token === undefined) throw new Inconclusive('the session cookie of mode jwt holds no signed token');
  const { header, claims, refresh } = token;
  const [iat, exp] = [Number(claims.iat) - agedS, Number(claims.exp) - agedS];
  const cookie = buildCookie(
    header,
    { claims: { ...claims, iat, exp }, refresh },
    makeShopSigner(await target.keyRing()),
  );
  return browser.thief(cookie);
}

function refreshOf({ cookies }: AttackBrowser): string | undefined {
  return readToken(cookies.get(sessionCookie) ?? '')?.refresh;
}

function isTaken({ status, json }: BrowserAnswer, user: string): boolean {
  return status === 200 && json.user === user;
}
