import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, notApplicable, Tries } from '../attack.js';
import { type AttackBrowser, type BrowserAnswer, Inconclusive, sessionCookie } from '../tools/browser.js';
import { buildCookie, makeShopSigner, readToken } from '../tools/forge.js';
import { mapConcurrently } from '../tools/map-concurrently.js';
import { isHonoured, logInFreshUser, userOf } from '../tools/shop.js';
import type { Target } from '../tools/target.js';

const atOnce = 16;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const tamperProbes = {
  'a changed character': ['lenient-shop'],
  'a cut token': ['lenient-shop'],
  'a longer token': ['lenient-shop'],
  'another version or key id': ['jwt-trusting', 'seal-trusting'],
} as const;

type TamperProbe = keyof typeof tamperProbes;

export const tamperedToken: Attack = {
  title: 'change each character of a token, cut it at every length, lengthen it, change its version or key id',
  asvs: ['7.2.1', '9.1.1'],
  probes: tamperProbes,
  run: tryTampered,
};

async function tryTampered(target: Target) {
  const tries = new Tries<TamperProbe>();
  const { user, browser } = await logInFreshUser(target);
  const { token } = browser;
  const all: readonly (readonly [TamperProbe, readonly Forgery[]])[] = [
    ['a changed character', flipBits(token)],
    ['a cut token', cutToLengths(token)],
    ['a longer token', lengthen(token)],
    ['another version or key id', relabel(target.strategy, token)],
  ];
  const forgeries = all.flatMap(([probe, made]) => made.map(([what, forged]) => ({ probe, what, forged })));
  await mapConcurrently(forgeries, atOnce, async ({ probe, what, forged }) => {
    if (tries.of(probe).hasSucceeded) return;
    // The affinity cookie stays, so that the forgery reaches the backend that would accept the token.
    const forger = browser.copy();
    forger.cookies.set(sessionCookie, forged);
    const answer = await forger.get('/me');
    tries.of(probe).add(`a changed token was accepted: ${what}`, userOf(answer) === user, answer);
  });
  if (!(await isHonoured(browser, user))) throw new Inconclusive('the honest session ended during the attack');
  return tries.result();
}

/** A description of the change, and the resulting token. */
type Forgery = readonly [what: string, forged: string];

/** Flips the lowest and the highest of the six bits of each character. The lowest bit of the last character may carry no
 * data. */
function flipBits(token: string): Forgery[] {
  return [...token].flatMap((letter, at) =>
    listOtherLetters(letter).map(
      other =>
        [`character ${at + 1} of ${token.length} changed`, token.slice(0, at) + other + token.slice(at + 1)] as const,
    ),
  );
}

function listOtherLetters(letter: string): string[] {
  const value = alphabet.indexOf(letter);
  return value === -1 ? ['A', '_'] : [alphabet.charAt(value ^ 1), alphabet.charAt(value ^ 32)];
}

function cutToLengths(token: string): Forgery[] {
  return Array.from({ length: token.length }, (_, length) => [
    `only its first ${length} characters`,
    token.slice(0, length),
  ]);
}

function lengthen(token: string): Forgery[] {
  const ends = ['A', '=', '.', '~', '%00', '%20', `.${token}`, `~${token}`];
  return [
    ...ends.map(end => [`"${end.slice(0, 3)}" after it`, token + end] as const),
    ['"A" before it', `A${token}`],
    ['quotes around it', `"${token}"`],
    ['its first character percent-encoded', `%${token.charCodeAt(0).toString(16)}${token.slice(1)}`],
  ];
}

/** Changes only the version or the key id of a token that has them. */
function relabel(strategy: Target['strategy'], token: string): readonly Forgery[] {
  if (strategy === 'sealed') return relabelSeal(token);
  return strategy === 'jwt' ? relabelJwt(token) : [];
}

function relabelSeal(token: string): Forgery[] {
  const [version = '', key = '', ...body] = token.split('.');
  const versions = ['v0', 'v2', 'v10', 'V1', ''].map(
    other => [`version "${other}"`, [other, key, ...body].join('.')] as const,
  );
  const keys = [`${key}x`, 'other', '', '..'].map(
    other => [`key id "${other}"`, [version, other, ...body].join('.')] as const,
  );
  return [...versions, ...keys];
}

function relabelJwt(token: string): Forgery[] {
  const [head = '', ...rest] = token.split('.');
  const header: Record<string, unknown> = JSON.parse(Buffer.from(head, 'base64url').toString());
  const headers = [
    ...['other', '', '../../dev/null', null].map(kid => ({ ...header, kid })),
    ...['JWT', 'refresh+jwt', ''].map(typ => ({ ...header, typ })),
  ];
  return headers.map(other => {
    const text = JSON.stringify(other);
    return [`the header ${text}`, [Buffer.from(text).toString('base64url'), ...rest].join('.')];
  });
}

const refreshProbes = {
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
  probes: refreshProbes,
  run: tryStolen,
};

/** Moves the times of a token back by this much: an access token lives five minutes at most. */
const agedS = 600;

async function tryStolen(target: Target) {
  if (target.strategy !== 'jwt') return notApplicable('there is no refresh token');
  const tries = new Tries<keyof typeof refreshProbes>();
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
