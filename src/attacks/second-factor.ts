import type { Browser } from './browser.js';
import { Inconclusive } from './errors.js';
import { expectStatus, loggedIn, type Member, reauthenticated } from './shop.js';
import type { Target } from './target.js';
import { secretOf, stepAt, totpCode } from './totp-code.js';

/** A member with a second factor. */
export interface Enrolled extends Member {
  /** The code of a time step. */
  code(step: number): string;
  /** The step whose code was used to enrol; the next one is right already, since one step of tolerance is given. */
  readonly usedStep: number;
}

export async function enrolled(target: Target): Promise<Enrolled> {
  const { user, browser } = await loggedIn(target);
  const nonce = await reauthenticated(browser, target.password);
  const { uri } = expectStatus(await browser.post('/account/totp', { nonce }), 201, 'the second factor').json;
  if (typeof uri !== 'string') throw new Inconclusive('the second factor was begun without an otpauth: URI');
  const secret = secretOf(uri);
  const code = (step: number) => totpCode(secret, step);
  const usedStep = stepAt(Date.now());
  expectStatus(await browser.post('/account/totp/confirm', { code: code(usedStep) }), 200, 'the first code');
  return { user, browser, code, usedStep };
}

/** A browser that has given the password and waits for the code. */
export async function preLoginOf(target: Target, user: string, origin?: string): Promise<Browser> {
  const browser = target.browser(origin);
  expectStatus(await browser.post('/login', { user, password: target.password }), 202, 'the password');
  return browser;
}
