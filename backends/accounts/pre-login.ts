import type { KeyRing } from '#src/key-ring.js';
import { seal, unseal } from '#src/sessions/seal.js';
import type { Account } from './account.js';
import { SmallCookie } from './small-cookie.js';

/**
 * What a browser holds between the password and the code. It is no session and opens nothing but POST /login/totp.
 *
 * It is bound to the account's last accepted step and to its epoch. So the code that it is redeemed with ends it, and
 * every other one that was given out meanwhile, without a write at the first half of a login; so does a changed password
 * or a disabled account.
 */
const purpose = 'pre-login';
export const preLoginMs = 5 * 60_000;
export const preLoginCookie = new SmallCookie('pre-login', preLoginMs);

type Bound = Pick<Account, 'epoch' | 'lastStep'>;

export function preLoginToken(keys: KeyRing, user: string, { epoch, lastStep }: Bound, nowMs: number): string {
  return seal(keys, purpose, JSON.stringify([user, epoch, lastStep, nowMs + preLoginMs]));
}

export interface PreLogin {
  readonly user: string;
  /** Whether the account is still as it was when the password was right. */
  holdsFor(account: Account): boolean;
}

/** Undefined for what is forged, for another purpose, or late. */
export function openPreLogin(keys: KeyRing, token: string | undefined, nowMs: number): PreLogin | undefined {
  const opened = token === undefined ? 'malformed' : unseal(keys, purpose, token);
  if (typeof opened === 'string') return undefined;
  const [user, epoch, lastStep, untilMs]: [string, number, number, number] = JSON.parse(opened.text);
  if (nowMs >= untilMs) return undefined;
  return { user, holdsFor: account => account.epoch === epoch && account.lastStep === lastStep };
}
