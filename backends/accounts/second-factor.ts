import { generateSecret, generateURI, verifySync } from 'otplib';
import { seal, unseal } from '#src/sessions/seal.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import { NothingToConfirm, SecretUnreadable } from '../refusal.js';
import type { Account, Edited } from './accounts.js';
import { type Guesser, refuseLocked, withoutTries, withTry } from './tries.js';

const purpose = 'totp';
export const pendingMs = 10 * 60_000;

/** The sealed content. It has the user name, so that a secret copied into another account opens nothing there. */
interface Kept {
  readonly user: string;
  readonly secret: string;
  /** 0 after the confirmation. */
  readonly pendingUntilMs: number;
}

/** The input of an edit of the second factor. */
interface CodeAttempt {
  readonly user: string;
  readonly code: string;
  readonly from: Guesser;
  readonly keys: KeyRing;
  readonly nowMs: number;
}

export function withPending(
  account: Account,
  { user, keys, nowMs }: Omit<CodeAttempt, 'code' | 'from'>,
  secret: string,
): Account {
  const kept: Kept = { user, secret, pendingUntilMs: nowMs + pendingMs };
  return { ...account, pendingTotp: seal(keys, purpose, JSON.stringify(kept)) };
}

/** Checks a code. A wrong code counts as a try. Throws `TooManyTries`. */
export function withCode(account: Account, attempt: CodeAttempt): Edited<boolean> {
  refuseLocked(account, attempt.from, attempt.nowMs);
  const next = withStepUsed(account, attempt);
  return next === undefined
    ? { next: withTry(account, attempt.from, attempt.nowMs), answer: false }
    : { next: withoutTries(next, attempt.from, attempt.nowMs), answer: true };
}

/**
 * Uses the time step of a code. Undefined for a wrong code. A step counts once, whatever it was used for. The account
 * is saved by compare-and-set, so this holds for two parallel requests at two backends too. The secret is sealed again
 * with the newest key, so that an old key can be removed later.
 */
export function withStepUsed(
  account: Account,
  { user, code, keys, nowMs }: Omit<CodeAttempt, 'from'>,
): Account | undefined {
  const kept = openSealed(account.totp, user, keys);
  const step = stepOf(kept.secret, code, nowMs);
  if (step === undefined || step <= account.lastStep) return undefined;
  return { ...account, totp: seal(keys, purpose, JSON.stringify(kept)), lastStep: step };
}

/** Confirms the pending second factor. Its step may be one that the previous factor has used, because another secret
 * has other codes. Throws `NothingToConfirm` if none is pending, or it has expired. */
export function withConfirmed(account: Account, attempt: CodeAttempt): Edited<boolean> {
  const { user, code, from, keys, nowMs } = attempt;
  refuseLocked(account, from, nowMs);
  if (account.pendingTotp === null) throw new NothingToConfirm();
  const { secret, pendingUntilMs } = openSealed(account.pendingTotp, user, keys);
  if (nowMs >= pendingUntilMs) throw new NothingToConfirm();
  const step = stepOf(secret, code, nowMs);
  if (step === undefined) return { next: withTry(account, from, nowMs), answer: false };
  const kept: Kept = { user, secret, pendingUntilMs: 0 };
  const totp = seal(keys, purpose, JSON.stringify(kept));
  const lastStep = Math.max(step, account.lastStep);
  const next = { ...withoutTries(account, from, nowMs), totp, pendingTotp: null, lastStep, epoch: account.epoch + 1 };
  return { next, answer: true };
}

/** Opens a sealed secret. Throws if it cannot be read: that must never count as "no second factor". */
function openSealed(sealed: string | null, user: string, keys: KeyRing): Kept {
  const opened = sealed === null ? 'malformed' : unseal(keys, purpose, sealed);
  if (typeof opened === 'string') throw new SecretUnreadable();
  const kept: Kept = JSON.parse(opened.text);
  if (kept.user !== user) throw new SecretUnreadable();
  return kept;
}

/**
 * Time-based one-time passwords of RFC 6238, as authenticator apps expect them: SHA-1, 6 digits, steps of 30 s. The
 * codes of the present and the previous step are accepted, so that there is time to type one (section 5.2). So a code
 * is good for 60 s after it appears. Two of a million codes are right at any time.
 */
const stepSeconds = 30;
const tolerance: [pastSeconds: number, futureSeconds: number] = [stepSeconds, 0];
const issuer = 'Holdfast shop';

/** Returns 160 random bits in Base32, the length of RFC 4226 section 4. */
export function newSecret(): string {
  return generateSecret({ length: 20 });
}

/** Returns the time step of `code`. Undefined if it is not right now. */
export function stepOf(secret: string, code: string, nowMs: number): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const epoch = Math.floor(nowMs / 1000);
  const result = verifySync({ secret, token: code, epoch, epochTolerance: tolerance });
  return result.valid && 'timeStep' in result ? result.timeStep : undefined;
}

interface Enrolment {
  readonly uri: string;
  /** The URI as a QR code in a `data:` URL. */
  readonly picture: string;
}

export async function buildEnrolment(user: string, secret: string): Promise<Enrolment> {
  const uri = generateURI({ issuer, label: user, secret });
  // Loaded only when needed: few users ask for a QR code, and a backend starts faster without it.
  const { default: qrcode } = await import('qrcode');
  const svg = await qrcode.toString(uri, { type: 'svg', errorCorrectionLevel: 'M' });
  return { uri, picture: `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}` };
}
