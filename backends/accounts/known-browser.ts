import type { KeyRing } from '#src/key-ring.js';
import { seal, unseal } from '#src/sessions/seal.js';
import type { Call } from '../call.js';
import { SmallCookie } from './small-cookie.js';
import type { Guesser } from './tries.js';

/**
 * What a browser keeps for 90 days after the password was given in it. It opens nothing and spares no password; it only
 * says in which of an account's two counters a wrong one is counted (OWASP calls it a device cookie).
 */
const purpose = 'known-browser';
const knownMs = 90 * 24 * 3_600_000;
const cookie = new SmallCookie('known-browser', knownMs);

export function knownBrowser(keys: KeyRing, user: string, secure: boolean, nowMs: number): string {
  return cookie.set(seal(keys, purpose, JSON.stringify([user, nowMs + knownMs])), secure);
}

export function guesserOf(keys: KeyRing, user: string, { cookies, secure }: Call, nowMs: number): Guesser {
  const token = cookie.read(cookies, secure);
  const opened = token === undefined ? 'malformed' : unseal(keys, purpose, token);
  if (typeof opened === 'string') return 'stranger';
  const [knownUser, untilMs]: [string, number] = JSON.parse(opened.text);
  return knownUser === user && nowMs < untilMs ? 'known' : 'stranger';
}
