import { Inconclusive } from '../errors.js';
import type { AttackBrowser, BrowserAnswer } from './browser.js';
import type { Target } from './target.js';

/** What the users of the toy shop do. Everything here rejects with `Inconclusive` when the answer is not the usual one. */

/** A fresh user who is logged in through the proxy, and is who the shop says. */
export async function loggedIn(target: Target, user = target.freshUser()): Promise<LoggedInUser> {
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

export async function logOut(browser: AttackBrowser): Promise<BrowserAnswer> {
  return expectStatus(await browser.post('/logout'), 200, 'the logout');
}

/** Whether this browser is taken for `user`. */
export async function isHonoured(browser: AttackBrowser, user: string): Promise<boolean> {
  return userOf(await browser.get('/me')) === user;
}

/** Whom the answer of GET /me names; undefined for an anonymous visitor. */
export function userOf(answer: BrowserAnswer): string | undefined {
  const { user } = answer.json;
  if (answer.status === 200 && typeof user === 'string') return user;
  if (answer.status === 200 && user === null) return undefined;
  // How a session that was begun in another browser is turned away.
  if (answer.status === 401) return undefined;
  throw unexpected(answer, 'GET /me', '200 or 401');
}

export function expectStatus(answer: BrowserAnswer, status: number, what: string): BrowserAnswer {
  if (answer.status === status) return answer;
  throw unexpected(answer, what, String(status));
}

/** Gives the password again; resolves with the nonce for one sensitive change. */
export async function reauthenticated(browser: AttackBrowser, password: string): Promise<string> {
  const answer = await browser.post('/account/reauthenticate', { password });
  const { nonce } = expectStatus(answer, 200, 'the fresh authentication').json;
  if (typeof nonce === 'string') return nonce;
  throw unexpected(answer, 'the fresh authentication', '200 with a nonce');
}

/** What the administrator does with one user, or with everyone: `path` is one of `/admin/...`. */
export function asAdministrator(
  target: Target,
  path: string,
  fields: Readonly<Record<string, string>>,
): Promise<BrowserAnswer> {
  return target.inTurn(async () => {
    const browser = target.browser();
    await logIn(browser, 'admin', target.administratorPassword);
    const nonce = await reauthenticated(browser, target.administratorPassword);
    return expectStatus(await browser.post(path, { ...fields, nonce }), 200, `POST ${path}`);
  });
}

export function unexpected(answer: BrowserAnswer, what: string, expected: string): Inconclusive {
  return new Inconclusive(
    `${what} was answered ${answer.status} ${answer.text.trim().slice(0, 200)}; expected ${expected}`,
  );
}

const pathsMin = 10;

/** Every path of the shop, as it tells whoever asks for one that it has not. Rejects with `Inconclusive`. */
export async function shopPaths(browser: AttackBrowser): Promise<readonly string[]> {
  const { json } = await browser.get('/no-such-path');
  const [, listed = ''] = /Known: (.*)$/.exec(String(json.error)) ?? [];
  const paths = listed.split(', ').map(path => path.replace(/:\w+$/, 'some-thing'));
  if (paths.length >= pathsMin) return paths;
  throw new Inconclusive('the shop does not say which paths it has, so that not all of them can be tried');
}
