import { hash, randomBytes } from 'node:crypto';
import type { SessionData } from '#src/sessions/session.js';
import { FreshAuthenticationNeeded } from '../refusal.js';
import type { Account } from './account.js';

/** Proof that the password was given recently in this session. It is good for one sensitive change. */
export interface Nonce {
  readonly nonce: string;
  readonly untilMs: number;
  /** A new nonce has a greater order than every nonce that was spent before it was made. */
  readonly order: number;
}

export const nonceMs = 5 * 60_000;

/** Makes a nonce. Its order is its expiry. If the newest spent nonce has a greater order, it is one more: the clock of
 * another backend may be ahead. */
export function newNonce(nowMs: number, { nonceSpentUntilMs }: Account): Nonce {
  const untilMs = nowMs + nonceMs;
  return { nonce: randomBytes(32).toString('base64url'), untilMs, order: Math.max(untilMs, nonceSpentUntilMs + 1) };
}

/** Stores the hash of a nonce in the session, because some modes have data that the browser can read. Replaces an
 * earlier nonce. */
export function keepNonce(data: SessionData, { nonce, untilMs, order }: Nonce): void {
  data.nonce = [digest(nonce), untilMs, order];
}

/** Returns the order of a nonce. Throws `FreshAuthenticationNeeded` if the session does not have it, or it has
 * expired. */
export function findNonce(data: SessionData, nonce: string, nowMs: number): number {
  const [kept, untilMs, order] = Array.isArray(data.nonce) ? data.nonce : [];
  const isFresh = typeof untilMs === 'number' && nowMs < untilMs;
  if (isFresh && typeof order === 'number' && kept === digest(nonce)) return order;
  throw new FreshAuthenticationNeeded();
}

/**
 * Marks a nonce as spent. Throws `FreshAuthenticationNeeded` if it was spent before. Where the session is in the
 * browser, an old copy of it still has the nonce; the account does not. A nonce older than the last spent one counts as
 * spent too, so that the account need not remember them all. The order decides, not the clock of a backend. Steps of
 * the second factor work the same way.
 */
export function withNonceSpent(account: Account, order: number): Account {
  if (order <= account.nonceSpentUntilMs) throw new FreshAuthenticationNeeded();
  return { ...account, nonceSpentUntilMs: order };
}

function digest(nonce: string): string {
  return hash('sha256', nonce, 'base64url');
}
