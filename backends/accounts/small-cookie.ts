import { readCookie } from '#src/sessions/cookie.js';

/**
 * A cookie beside the session's, with attributes like those. No link from elsewhere leads to where it is needed, so it
 * need not come along with one: SameSite=Strict.
 */
export class SmallCookie {
  readonly #name: string;
  readonly #lifeMs: number;

  constructor(name: string, lifeMs: number) {
    this.#name = name;
    this.#lifeMs = lifeMs;
  }

  read(cookies: string | undefined, secure: boolean): string | undefined {
    return readCookie(cookies, this.#named(secure)).token;
  }

  set(token: string, secure: boolean): string {
    return `${this.#named(secure)}=${token}; Max-Age=${this.#lifeMs / 1000}; ${attributes(secure)}`;
  }

  clear(secure: boolean): string {
    return `${this.#named(secure)}=; Max-Age=0; ${attributes(secure)}`;
  }

  #named(secure: boolean): string {
    return secure ? `__Host-${this.#name}` : this.#name;
  }
}

function attributes(secure: boolean): string {
  return `Path=/; HttpOnly; ${secure ? 'Secure; ' : ''}SameSite=Strict`;
}
