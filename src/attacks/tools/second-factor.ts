import { createHmac } from 'node:crypto';
import { Inconclusive } from '../errors.js';
import type { AttackBrowser } from './browser.js';
import { expectStatus, type LoggedInUser, logInFreshUser, reauthenticate } from './shop.js';
import type { Target } from './target.js';

/** A user with a second factor. */
export interface EnrolledUser extends LoggedInUser {
  /** Returns the code of a time step. */
  code(step: number): string;
  /** The step whose code was used to enrol. It was over already, so the code of the next step is valid now. */
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
  return { user, browser, code, usedStep: await confirm(browser, code, others) };
}

/** Confirms with the code of the previous step, and returns that step. Tries again if a new step began meanwhile. */
async function confirm(browser: AttackBrowser, code: EnrolledUser['code'], others: string): Promise<number> {
  const usedStep = stepAt(Date.now()) - 1;
  const answer = await browser.post('/account/totp/confirm', { code: code(usedStep), others });
  if (answer.status === 401 && usedStep < stepAt(Date.now()) - 1) return confirm(browser, code, others);
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

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Reads the secret from an `otpauth:` URI. It is in Base32 (RFC 4648). */
function secretOf(uri: string): Buffer {
  const text = new URL(uri).searchParams.get('secret') ?? '';
  const bits = [...text].map(letter => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const bytes = bits.match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map(byte => Number.parseInt(byte, 2)));
}
