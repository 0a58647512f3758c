import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { AdminOptions, TcpAddress } from '../options.js';

export interface AdminRefusal {
  readonly status: number;
  readonly error: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Returns undefined for a permitted request. */
export type AdminGuard = (request: IncomingMessage) => AdminRefusal | undefined;

const foreignPage: AdminRefusal = {
  status: 403,
  error: 'the admin API answers no web page; ask with curl or a script',
};
const foreignName: AdminRefusal = {
  status: 403,
  error: 'the Host header must be an IP address or localhost: another name may have been pointed here by a web page',
};
const noToken: AdminRefusal = {
  status: 401,
  error: 'expected the header "authorization: Bearer <the admin token>"',
  headers: { 'www-authenticate': 'Bearer realm="holdfast admin"' },
};

/**
 * Decides which requests may use the admin API. On loopback every local program may, but no web page in a local
 * browser. A page reveals itself in Origin or Sec-Fetch-Site. It reveals itself in Host if its own name resolves to us.
 * No page can open a Unix socket, and its mode decides about programs. On other addresses, and wherever a token is
 * given, the token decides. Throws when a token is needed and missing.
 */
export function makeAdminGuard(options: AdminOptions): AdminGuard {
  const { token } = options;
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new TypeError(
      'the admin token is empty or holds characters that no header can carry: expected visible ASCII',
    );
  }
  const loopback = 'host' in options && isLoopback(options.host);
  if (needsToken(options)) throw new Error(explainToken(options.host));
  const isToken = token === undefined ? () => true : makeTokenCheck(token);
  return ({ headers }) => {
    if (headers.origin !== undefined || headers['sec-fetch-site'] === 'cross-site') return foreignPage;
    if (loopback && !isLocalName(headers.host)) return foreignName;
    return isToken(headers.authorization) ? undefined : noToken;
  };
}

/** Whether other machines could reach the admin API without a token. */
export function needsToken(options: AdminOptions): options is TcpAddress & { readonly token: undefined } {
  return 'host' in options && options.token === undefined && !isLoopback(options.host);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function explainToken(host: string): string {
  return (
    `the admin API on ${host} could be reached from other machines and needs a bearer token. ` +
    "Give one (node -p \"require('node:crypto').randomBytes(24).toString('hex')\" makes one) or bind it to 127.0.0.1."
  );
}

/** Checks the token by comparing digests under a random key: equal lengths, and the bytes reveal nothing. */
function makeTokenCheck(token: string): (authorization: string | undefined) => boolean {
  const key = randomBytes(32);
  const digest = (text: string) => createHmac('sha256', key).update(text).digest();
  const expected = digest(token);
  return authorization => {
    const [, given] = /^bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
    return given !== undefined && timingSafeEqual(digest(given), expected);
  };
}

function isLocalName(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d*$/, '');
  const address = /^\[(.+)\]$/.exec(name)?.[1] ?? name;
  return name.toLowerCase() === 'localhost' || isIP(address) !== 0;
}
