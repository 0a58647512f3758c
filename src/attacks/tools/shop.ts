import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProbeTries } from '../attack.js';
import { type AttackBrowser, type BrowserAnswer, Inconclusive } from './browser.js';
import type { Target } from './target.js';

/*
 * Actions of users of the toy shop: logins, a second factor, and the use of a session that has ended. Each rejects with
 * `Inconclusive` when the answer is unexpected.
 */

/** Logs a fresh user in through the proxy and checks that the shop recognizes the user. */
export async function logInFreshUser(target: Target, user = target.freshUser()): Promise<LoggedInUser> {
  const browser = target.browser();
  await logIn(browser, user, target.password);
  return { user, browser };
}

export interface LoggedInUser {
  readonly user: string;
  readonly browser: AttackBrowser;
}

export async function logIn(browser: AttackBrowser, user: string, password: string): Promise<BrowserAnswer> {
  const answer = await browser.post('/login', { user, password });
  expectStatus(answer, 200, 'the login');
  if (!(await isHonoured(browser, user))) throw new Inconclusive('the honest user is not logged in after the login');
  return answer;
}

/** Logs one user in with several browsers. */
export async function logInBrowsers(target: Target, user: string, count: number): Promise<readonly AttackBrowser[]> {
  const browsers = Array.from({ length: count }, () => target.browser());
  for (const browser of browsers) await logIn(browser, user, target.password);
  return browsers;
}

export async function logOut(browser: AttackBrowser): Promise<BrowserAnswer> {
  return expectStatus(await browser.post('/logout'), 200, 'the logout');
}

/** Returns whether the shop recognizes this browser as `user`. */
export async function isHonoured(browser: AttackBrowser, user: string): Promise<boolean> {
  return userOf(await browser.get('/me')) === user;
}

/** Returns the user that the answer of GET /me names; undefined for an anonymous visitor. */
export function userOf(answer: BrowserAnswer): string | undefined {
  const { user } = answer.json;
  if (answer.status === 200 && typeof user === 'string') return user;
  if (answer.status === 200 && user === null) return undefined;
  // The shop answers so when the session began in another browser.
  if (answer.status === 401) return undefined;
  throw buildUnexpected(answer, 'GET /me', '200 or 401');
}

export function expectStatus(answer: BrowserAnswer, status: number, what: string): BrowserAnswer {
  if (answer.status === status) return answer;
  throw buildUnexpected(answer, what, String(status));
}

/** Sends the password again and returns the nonce for one sensitive change. */
export async function reauthenticate(browser: AttackBrowser, password: string): Promise<string> {
  const answer = await browser.post('/account/reauthenticate', { password });
  const { nonce } = expectStatus(answer, 200, 'the fresh authentication').json;
  if (typeof nonce === 'string') return nonce;
  throw buildUnexpected(answer, 'the fresh authentication', '200 with a nonce');
}

/** Sends a request of the administrator about one user or about everyone. `path` is one of `/admin/...`. */
export function sendAsAdministrator(
  target: Target,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<BrowserAnswer> {
  return target.inTurn(async () => {
    const browser = target.browser();
    await logIn(browser, 'admin', target.administratorPassword);
    const nonce = await reauthenticate(browser, target.administratorPassword);
    return expectStatus(await browser.post(path, { ...fields, nonce }), 200, `POST ${path}`);
  });
}

export function buildUnexpected(answer: BrowserAnswer, what: string, expected: string): Inconclusive {
  return new Inconclusive(
    `${what} was answered ${answer.status} ${answer.text.trim().slice(0, 200)}; expected ${expected}`,
  );
}

const pathsMin = 10;

/**
 * Returns every path of the shop. The shop lists them in its answer for an unknown path. Rejects with `Inconclusive`.
 */
export async function listShopPaths(browser: AttackBrowser): Promise<readonly string[]> {
  const { json } = await browser.get('/no-such-path');
  const [, listed = ''] = /Known: (.*)$/.exec(String(json.error)) ?? [];
  const paths = listed.split(', ').map(path => path.replace(/:\w+$/, 'some-thing'));
  if (paths.length >= pathsMin) return paths;
  throw new Inconclusive('the shop does not list its paths, so the attack cannot try all of them');
}

/** Returns the handle of the session that asked for its list (`GET /account/sessions`). */
export function currentHandleIn(answer: BrowserAnswer): string | undefined {
  const handle = linesOf(answer).find(({ current }) => current === true)?.handle;
  return typeof handle === 'string' ? handle : undefined;
}

export function handlesIn(answer: BrowserAnswer): string[] {
  return linesOf(answer).flatMap(({ handle }) => (typeof handle === 'string' ? [handle] : []));
}

function linesOf(answer: BrowserAnswer): readonly Readonly<Record<string, unknown>>[] {
  const { sessions } = expectStatus(answer, 200, 'GET /account/sessions').json;
  if (Array.isArray(sessions)) return sessions.map(line => Object(line));
  throw buildUnexpected(answer, 'GET /account/sessions', 'a list');
}

/** A user with a second factor. */
export interface EnrolledUser extends LoggedInUser {
  /** Returns the code of a time step. */
  code(step: number): string;
  /** The step of the code that was used to enrol. It was over already, so the code of the next step is valid now. */
  readonly usedStep: number;
}

/** Logs a user in and enrols a second factor. The user is fresh unless one is given, and keeps its other sessions. */
export async function enrolUser(
  target: Target,
  { user = target.freshUser(), others = 'keep' }: { readonly user?: string; readonly others?: 'keep' | 'end' } = {},
): Promise<EnrolledUser> {
  const { browser } = await logInFreshUser(target, user);
  const nonce = await reauthenticate(browser, target.password);
  const { uri } = expectStatus(await browser.post('/account/totp', { nonce }), 201, 'the second factor').json;
  if (typeof uri !== 'string') throw new Inconclusive('the second factor was begun without an otpauth: URI');
  const secret = secretOf(uri);
  const code = (step: number) => computeTotpCode(secret, step);
  return { user, browser, code, usedStep: await confirmCode(browser, code, others) };
}

/** Confirms with the code of the previous step, and returns that step. Tries again if a new step began meanwhile. */
async function confirmCode(browser: AttackBrowser, code: EnrolledUser['code'], others: string): Promise<number> {
  const usedStep = stepAt(Date.now()) - 1;
  const answer = await browser.post('/account/totp/confirm', { code: code(usedStep), others });
  if (answer.status === 401 && usedStep < stepAt(Date.now()) - 1) return confirmCode(browser, code, others);
  expectStatus(answer, 200, 'the first code');
  return usedStep;
}

/** Returns a browser that has sent the password and not yet the code. */
export async function preLoginOf(target: Target, user: string, origin?: string): Promise<AttackBrowser> {
  const browser = target.browser(origin);
  expectStatus(await browser.post('/login', { user, password: target.password }), 202, 'the password');
  return browser;
}

const stepSeconds = 30;
const digits = 6;

/** Computes the code of RFC 6238 for a time step (30 s, SHA-1, six digits), as an authenticator app does. */
export function computeTotpCode(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const at = (mac.at(-1) ?? 0) & 0xf;
  const number = (mac.readUInt32BE(at) & 0x7fffffff) % 10 ** digits;
  return String(number).padStart(digits, '0');
}

export function stepAt(nowMs: number): number {
  return Math.floor(nowMs / 1000 / stepSeconds);
}

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Reads the secret from an `otpauth:` URI. It is in Base32 (RFC 4648). */
function secretOf(uri: string): Buffer {
  const text = new URL(uri).searchParams.get('secret') ?? '';
  const bits = [...text].map(letter => base32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const bytes = bits.match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map(byte => Number.parseInt(byte, 2)));
}

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
