import { hash, randomBytes } from 'node:crypto';
import { readCookie } from '#src/sessions/cookie.js';
import { seal, unseal } from '#src/sessions/seal.js';
import type { KeyRing } from '#src/shared/key-ring.js';
import type { Call } from '../call.js';
import type { Guesser } from './tries.js';

/** A cookie beside the session's, with similar attributes. It is never needed on a link from another site, so it is
 * SameSite=Strict. */
export class SmallCookie {
  readonly #name: string;
  readonly #lifeMs: number;

  constructor(name: string, lifeMs: number) {
    this.#name = name;
    this.#lifeMs = lifeMs;
  }

  read(cookies: string | undefined, secure: boolean): string | undefined {
    return readCookie(cookies, this.#fullName(secure)).token;
  }

  set(token: string, secure: boolean): string {
    return `${this.#fullName(secure)}=${token}; Max-Age=${this.#lifeMs / 1000}; ${attributes(secure)}`;
  }

  clear(secure: boolean): string {
    return `${this.#fullName(secure)}=; Max-Age=0; ${attributes(secure)}`;
  }

  #fullName(secure: boolean): string {
    return secure ? `__Host-${this.#name}` : this.#name;
  }
}

function attributes(secure: boolean): string {
  return `Path=/; HttpOnly; ${secure ? 'Secure; ' : ''}SameSite=Strict`;
}

/** A cookie that a browser keeps for 90 days after the user logged in with it (OWASP: device cookie). It opens nothing
 * and replaces no password. It only decides which counter of the account a wrong password counts for. */
const purpose = 'known-browser';
const knownMs = 90 * 24 * 3_600_000;
const cookie = new SmallCookie('known-browser', knownMs);
const idBytes = 12;

/** Returns the Set-Cookie line for a browser in which the user has just logged in. A browser that is known already
 * keeps its id: otherwise each login would bring a fresh counter. */
export function knownBrowserCookie(keys: KeyRing, user: string, call: Call, nowMs: number): string {
  const id = openKnown(keys, user, call, nowMs) ?? randomBytes(idBytes).toString('base64url');
  return cookie.set(seal(keys, purpose, JSON.stringify([user, nowMs + knownMs, id])), call.secure);
}

/** Returns the client of a try. A known browser counts once for each address: a thief with a copy of all cookies must
 * not make the owner wait. */
export function guesserOf(keys: KeyRing, user: string, call: Call, nowMs: number): Guesser {
  const { address } = call;
  const id = openKnown(keys, user, call, nowMs);
  const browser = id === undefined ? undefined : hash('sha256', `${id} ${address}`, 'base64url').slice(0, 22);
  return { browser, address };
}

/** Returns the id in the cookie. Undefined if it is missing, forged, expired, of another user, or of version 0.1. */
function openKnown(keys: KeyRing, user: string, { cookies, secure }: Call, nowMs: number): string | undefined {
  const token = cookie.read(cookies, secure);
  const opened = token === undefined ? 'malformed' : unseal(keys, purpose, token);
  if (typeof opened === 'string') return undefined;
  const [knownUser, untilMs, id]: [string, number, string?] = JSON.parse(opened.text);
  return knownUser === user && nowMs < untilMs ? id : undefined;
}
