import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { trimBlanks } from '../shared/text.js';
import { SessionTooLarge } from './errors.js';

/** RFC 6265bis section 5.6: a browser may drop a cookie whose name and value together are longer. */
export const cookieBytesMax = 4096;

/** Reports whether the browser used TLS. The first value comes from the browser's side of a chain of proxies. A visitor
 * who forges the header harms only their own cookie. */
export function cameOverTls(headers: IncomingHttpHeaders): boolean {
  const forwarded = headers['x-forwarded-proto'];
  if (forwarded === undefined) return false;
  const [first = ''] = String(forwarded).split(',');
  return first.trim().toLowerCase() === 'https';
}

/** The options of the session cookie. */
export interface CookieOptions {
  /** Its name over plain HTTP. Over TLS, `__Host-` stands in front of it, or `__Secure-` where `domain` or `path` is
   * given. Default: `session`. */
  readonly name?: string;
  /** Sends the cookie to the subdomains of this domain too. Default: to this host only. */
  readonly domain?: string;
  /** Default: `/`. */
  readonly path?: string;
  /** True: every request came over TLS. False: none did. Default: the connection or `X-Forwarded-Proto` decides. */
  readonly secure?: boolean;
  /** Default: `lax`. `none` needs TLS. */
  readonly sameSite?: 'lax' | 'strict' | 'none';
  /** Keeps one cookie for each site that embeds this one (CHIPS). It needs TLS. Default: false. */
  readonly partitioned?: boolean;
}

/** The session cookie of one app: its name, and the values of Set-Cookie. */
export class SessionCookie {
  readonly #options: CookieOptions;
  readonly #plainName: string;
  readonly #secureName: string;

  constructor(options: CookieOptions = {}) {
    const { name = 'session', domain, path = '/' } = options;
    this.#options = options;
    this.#plainName = name;
    this.#secureName = domain === undefined && path === '/' ? `__Host-${name}` : `__Secure-${name}`;
  }

  /** Reports whether a request came over TLS. */
  isSecure({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): boolean {
    return this.#options.secure ?? (('encrypted' in socket && socket.encrypted === true) || cameOverTls(headers));
  }

  /** Returns the name of the cookie. With the `__Host-` prefix, browsers refuse a cookie without Secure, with a Domain,
   * or from a sibling host. */
  nameOf(secure: boolean): string {
    return secure ? this.#secureName : this.#plainName;
  }

  /**
   * Builds the Set-Cookie value. Without Domain, only this host gets the cookie. Without `maxAgeS`, it ends with the
   * browser; the server enforces the deadlines anyway. Throws `SessionTooLarge`, because a browser would drop a longer
   * cookie silently.
   */
  set(token: string, secure: boolean, maxAgeS?: number): string {
    const name = this.nameOf(secure);
    const bytes = sizeOf(name, token);
    if (bytes > cookieBytesMax) throw new SessionTooLarge(bytes, cookieBytesMax);
    const maxAge = maxAgeS === undefined ? '' : `Max-Age=${maxAgeS}; `;
    return `${name}=${token}; ${maxAge}${this.#attributes(secure)}`;
  }

  clear(secure: boolean): string {
    return `${this.nameOf(secure)}=; Max-Age=0; ${this.#attributes(secure)}`;
  }

  #attributes(secure: boolean): string {
    const { domain, path = '/', sameSite = 'lax', partitioned = false } = this.#options;
    const attributes = [
      ...(domain === undefined ? [] : [`Domain=${domain}`]),
      `Path=${path}`,
      'HttpOnly',
      ...(secure ? ['Secure'] : []),
      `SameSite=${sameSite.charAt(0).toUpperCase()}${sameSite.slice(1)}`,
      ...(secure && partitioned ? ['Partitioned'] : []),
    ];
    return attributes.join('; ');
  }
}

/** The cookie without options. */
export const standardCookie = new SessionCookie();

/** Returns the name of the session cookie without options. */
export function cookieName(secure: boolean): string {
  return standardCookie.nameOf(secure);
}

/** The value of one cookie in a Cookie header. `malformed`: the cookie occurs twice, or has more bytes than we ever
 * set. */
export interface CookieReading {
  readonly name: string;
  readonly token: string | undefined;
  readonly malformed: boolean;
}

export function readCookie(header: string | undefined, name: string): CookieReading {
  let token: string | undefined;
  let malformed = false;
  for (const pair of header?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (equals === -1 || trimBlanks(pair.slice(0, equals)) !== name) continue;
    if (token !== undefined) malformed = true;
    token = trimBlanks(pair.slice(equals + 1));
  }
  if (token !== undefined && sizeOf(name, token) > cookieBytesMax) malformed = true;
  return { name, token: malformed ? undefined : token, malformed };
}

function sizeOf(name: string, value: string): number {
  return Buffer.byteLength(name) + Buffer.byteLength(value);
}
