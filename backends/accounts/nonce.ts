import { hash, randomBytes } from 'node:crypto';
import type { SessionData } from '#src/sessions/session.js';
import { FreshAuthenticationNeeded } from '../refusal.js';
import type { Account } from './account.js';

/** Proves that the password was given a moment ago, in this session, and is good for one sensitive change. */
export interface Nonce {
  readonly nonce: string;
  readonly untilMs: number;
}

export const nonceMs = 5 * 60_000;

export function newNonce(nowMs: number): Nonce {
  return { nonce: randomBytes(32).toString('base64url'), untilMs: nowMs + nonceMs };
}

/** The session keeps only the hash: in some modes its data can be read in the browser. It replaces an earlier one. */
export function keepNonce(data: SessionData, { nonce, untilMs }: Nonce): void {
  data.nonce = [digest(nonce), untilMs];
}

/**
 * Throws `FreshAuthenticationNeeded` when the session keeps no such nonce, or has kept it for too long; else answers how
 * long it is good.
 */
export function nonceUntilMs(data: SessionData, nonce: string, nowMs: number): number {
  const [kept, untilMs] = Array.isArray(data.nonce) ? data.nonce : [];
  if (typeof untilMs === 'number' && nowMs < untilMs && kept === digest(nonce)) return untilMs;
  throw new FreshAuthenticationNeeded();
}

/**
 * Throws `FreshAuthenticationNeeded` for a nonce that was spent before. In some modes the session lies in the browser,
 * and an old copy of it holds the nonce still; the account does not. One that is older than the last one spent is taken
 * for spent too, as a step of the second factor is, so that the account need not remember them all.
 */
export function withNonceSpent(account: Account, untilMs: number): Account {
  if (untilMs <= account.nonceSpentUntilMs) throw new FreshAuthenticationNeeded();
  return { ...account, nonceSpentUntilMs: untilMs };
}

function digest(nonce: string): string {
  return hash('sha256', nonce, 'base64url');
}
