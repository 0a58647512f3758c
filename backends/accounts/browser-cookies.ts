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

/** A cookie that a browser keeps for 90 days after the password was given in it. It opens nothing and replaces no
 * password. It only decides which of an account's two counters a wrong password counts for (OWASP: device cookie). */
const purpose = 'known-browser';
const knownMs = 90 * 24 * 3_600_000;
const cookie = new SmallCookie('known-browser', knownMs);

export function knownBrowserCookie(keys: KeyRing, user: string, secure: boolean, nowMs: number): string {
  return cookie.set(seal(keys, purpose, JSON.stringify([user, nowMs + knownMs])), secure);
}

export function guesserOf(keys: KeyRing, user: string, { cookies, secure }: Call, nowMs: number): Guesser {
  const token = cookie.read(cookies, secure);
  const opened = token === undefined ? 'malformed' : unseal(keys, purpose, token);
  if (typeof opened === 'string') return 'stranger';
  const [knownUser, untilMs]: [string, number] = JSON.parse(opened.text);
  return knownUser === user && nowMs < untilMs ? 'known' : 'stranger';
}
