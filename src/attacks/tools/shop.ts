import { Inconclusive } from '../errors.js';
import type { AttackBrowser, BrowserAnswer } from './browser.js';
import type { Target } from './target.js';

/** Actions of users of the toy shop. Each rejects with `Inconclusive` when the answer is unexpected. */

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
