import { hash, randomBytes } from 'node:crypto';
import type { SessionData } from '#src/sessions/session.js';
import { FreshAuthenticationNeeded } from '../refusal.js';

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

/** Throws `FreshAuthenticationNeeded` when the session keeps no such nonce, or has kept it for too long. */
export function refuseWithoutNonce(data: SessionData, nonce: string, nowMs: number): void {
  const [kept, untilMs] = Array.isArray(data.nonce) ? data.nonce : [];
  const holds = typeof untilMs === 'number' && nowMs < untilMs && kept === digest(nonce);
  if (!holds) throw new FreshAuthenticationNeeded();
}

export function spendNonce(data: SessionData, nonce: string, nowMs: number): void {
  refuseWithoutNonce(data, nonce, nowMs);
  delete data.nonce;
}

function digest(nonce: string): string {
  return hash('sha256', nonce, 'base64url');
}
