import { hash, randomBytes } from 'node:crypto';
import type { SessionData } from '#src/sessions/session.js';
import { FreshAuthenticationNeeded } from '../refusal.js';
import type { Account } from './account.js';

/** Proof that the password was given recently in this session. It is good for one sensitive change. */
export interface Nonce {
  readonly nonce: string;
  readonly untilMs: number;
}

export const nonceMs = 5 * 60_000;

export function newNonce(nowMs: number): Nonce {
  return { nonce: randomBytes(32).toString('base64url'), untilMs: nowMs + nonceMs };
}

/** Stores the hash of a nonce in the session, because some modes have data that the browser can read. Replaces an
 * earlier nonce. */
export function keepNonce(data: SessionData, { nonce, untilMs }: Nonce): void {
  data.nonce = [digest(nonce), untilMs];
}

/** Returns the expiry of a nonce. Throws `FreshAuthenticationNeeded` if the session does not have it, or it has
 * expired. */
export function nonceUntilMs(data: SessionData, nonce: string, nowMs: number): number {
  const [kept, untilMs] = Array.isArray(data.nonce) ? data.nonce : [];
  if (typeof untilMs === 'number' && nowMs < untilMs && kept === digest(nonce)) return untilMs;
  throw new FreshAuthenticationNeeded();
}

/**
 * Marks a nonce as spent. Throws `FreshAuthenticationNeeded` if it was spent before. Where the session is in the
 * browser, an old copy of it still has the nonce; the account does not. A nonce older than the last spent one counts as
 * spent too, so that the account need not remember them all. Steps of the second factor work the same way.
 */
export function withNonceSpent(account: Account, untilMs: number): Account {
  if (untilMs <= account.nonceSpentUntilMs) throw new FreshAuthenticationNeeded();
  return { ...account, nonceSpentUntilMs: untilMs };
}

function digest(nonce: string): string {
  return hash('sha256', nonce, 'base64url');
}
