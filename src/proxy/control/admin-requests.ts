import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { isWeight, weightExpected } from '../backends.js';
import type { AdminOptions, TcpAddress } from '../options.js';

/* Access to the admin API, and the bodies of its requests. */

export interface AdminRefusal {
  readonly status: number;
  readonly error: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Returns undefined for a permitted request. */
type AdminGuard = (request: IncomingMessage) => AdminRefusal | undefined;

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

/** The parsed body, or what is wrong with it and what was expected. */
type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

/** At least one of `state` and `weight` is given. */
export interface BackendChange {
  readonly state: 'drain' | 'maint' | 'ready' | undefined;
  readonly windowMs: number | undefined;
  readonly weight: number | undefined;
}

interface NewBackend {
  readonly url: URL;
  readonly weight: number;
  /** The host of its pool. */
  readonly host: string | undefined;
}

export const bodyBytesMax = 4096;
const windowMsMax = 24 * 60 * 60 * 1000;
const changeExpected =
  `expected {"state":"drain"|"maint"|"ready"}, with "drain" also "windowMs" (0 to ${windowMsMax}), ` +
  `and {"weight":n}, ${weightExpected}; one of the two or both`;
const backendExpected = `expected {"url":"http://host:port"} or https, with or without "weight", ${weightExpected}`;

/**
 * Reads the whole body, or returns `too-large`. Rejects when the client disconnects. The rest of a large body is read
 * and discarded. A connection closed with unread bytes is reset, which could destroy the answer.
 */
export async function readBody(request: IncomingMessage): Promise<string | 'too-large'> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const buffer: Buffer = chunk;
    bytes += buffer.length;
    if (bytes <= bodyBytesMax) chunks.push(buffer);
  }
  return bytes > bodyBytesMax ? 'too-large' : Buffer.concat(chunks).toString('utf8');
}

export function parseChange(text: string): Parsed<BackendChange> {
  const { state, windowMs, weight } = parseObject(text, ['state', 'windowMs', 'weight']) ?? {};
  if (state === undefined && weight === undefined) return reject(changeExpected);
  if (state !== undefined && state !== 'drain' && state !== 'maint' && state !== 'ready') return reject(changeExpected);
  if (windowMs !== undefined && (state !== 'drain' || !isWindow(windowMs))) return reject(changeExpected);
  if (weight !== undefined && !isWeight(weight)) return reject(changeExpected);
  return { ok: true, value: { state, windowMs, weight } };
}

/** Accepts an origin and nothing more: a path, a query or a user would be silently ignored later. */
export function parseNewBackend(text: string): Parsed<NewBackend> {
  const body = parseObject(text, ['url', 'weight', 'host']);
  if (typeof body?.url !== 'string' || !URL.canParse(body.url)) return reject(backendExpected);
  const { weight = 1, host } = body;
  const url = new URL(body.url);
  const isOrigin = ['http:', 'https:'].includes(url.protocol) && url.href === `${url.origin}/` && url.port !== '0';
  if (!isOrigin || !isWeight(weight)) return reject(backendExpected);
  if (host !== undefined && typeof host !== 'string') return reject(backendExpected);
  return { ok: true, value: { url, weight, host } };
}

/** Returns undefined for text that is not a JSON object or has a key outside `keys`. */
function parseObject(text: string, keys: readonly string[]): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return undefined;
    return Object.keys(value).every(key => keys.includes(key)) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWindow(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= windowMsMax;
}

function reject(error: string): { readonly ok: false; readonly error: string } {
  return { ok: false, error };
}
