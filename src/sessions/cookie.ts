import type { IncomingHttpHeaders } from 'node:http';
import { trimBlanks } from '../shared/white-space.js';
import { SessionTooLarge } from './errors.js';

/** RFC 6265bis section 5.6: a browser may drop a cookie whose name and value together are longer. */
export const cookieBytesMax = 4096;

/** Reports whether the browser used TLS. The first value comes from the browser's side of a chain of proxies. A visitor
 * who forges the header harms only their own cookie. */
export function cameOverTls(headers: IncomingHttpHeaders): boolean {
  const [first = ''] = String(headers['x-forwarded-proto'] ?? '').split(',');
  return first.trim().toLowerCase() === 'https';
}

/** Returns the name of the session cookie. With the `__Host-` prefix, browsers refuse a cookie without Secure, with a
 * Domain, or from a sibling host. */
export function cookieName(secure: boolean): string {
  return secure ? '__Host-session' : 'session';
}

/** The value of one cookie in a Cookie header. `malformed`: the cookie occurs twice, or has more bytes than we ever
 * set. */
export interface CookieReading {
  readonly name: string;
  readonly token: string | undefined;
  readonly malformed: boolean;
}

export function readCookie(header: string | undefined, name: string): CookieReading {
  const values = (header ?? '').split(';').flatMap(pair => valuesUnder(name, pair));
  const [token] = values;
  const malformed = values.length > 1 || (token !== undefined && sizeOf(name, token) > cookieBytesMax);
  return { name, token: malformed ? undefined : token, malformed };
}

function valuesUnder(name: string, pair: string): string[] {
  const equals = pair.indexOf('=');
  return equals !== -1 && trimBlanks(pair.slice(0, equals)) === name ? [trimBlanks(pair.slice(equals + 1))] : [];
}

/**
 * Builds the Set-Cookie value. Without Domain, only this host gets the cookie. Without Max-Age, it ends with the
 * browser; the server enforces the deadlines anyway. Throws `SessionTooLarge`, because a browser would drop a longer
 * cookie silently.
 */
export function setCookie(token: string, secure: boolean): string {
  const name = cookieName(secure);
  const bytes = sizeOf(name, token);
  if (bytes > cookieBytesMax) throw new SessionTooLarge(bytes, cookieBytesMax);
  return `${name}=${token}; ${cookieAttributes(secure)}`;
}

export function clearCookie(secure: boolean): string {
  return `${cookieName(secure)}=; Max-Age=0; ${cookieAttributes(secure)}`;
}

function cookieAttributes(secure: boolean): string {
  return `Path=/; HttpOnly; ${secure ? 'Secure; ' : ''}SameSite=Lax`;
}

function sizeOf(name: string, value: string): number {
  return Buffer.byteLength(name) + Buffer.byteLength(value);
}
