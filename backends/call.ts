import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { cameOverTls, readCookie } from '#src/sessions/cookie.js';
import type { SessionData } from '#src/sessions/session.js';
import { normalizeAddress } from '#src/shared/addresses.js';
import { isUserName } from './accounts/accounts.js';
import { BodyTooLarge, BrowserChanged, CrossSite, NotJson, NotUnderstood } from './refusal.js';

/** One request, read completely and checked for what every route requires. */
export interface Call {
  readonly query: URLSearchParams;
  /** The part of the path at the `:name` of its route. Empty if the route has none. */
  readonly parameter: string;
  /** The parsed JSON of a POST, or undefined. */
  readonly body: unknown;
  /** The `Cookie` header, for cookies other than the session's. */
  readonly cookies: string | undefined;
  /** The `User-Agent` header. */
  readonly agent: string | undefined;
  /** The address of the client. The proxy reports it in `X-Real-IP`; a client that comes past the proxy can forge it. */
  readonly address: string;
  /** True if the browser used TLS. */
  readonly secure: boolean;
  /** Why the proxy broke the affinity of this browser, or null. */
  readonly affinity: BrokenAffinity | null;
  /** True if the headers show that the request came through a proxy. */
  readonly proxied: boolean;
}

interface BrokenAffinity {
  readonly state: 'broken';
  readonly reason: string;
}

export const bodyBytesMax = 16 * 1024;

/** Reads and checks a request. Throws a `Refusal` for a request that every route would refuse. */
export async function readCall(request: IncomingMessage, query: URLSearchParams, parameter: string): Promise<Call> {
  if (changesSomething(request)) refuseOtherSites(request);
  const { address, userAgent } = clientOf(request);
  return {
    query,
    parameter,
    body: request.method === 'POST' ? await readJson(request) : undefined,
    cookies: request.headers.cookie,
    agent: userAgent,
    address,
    secure: cameOverTls(request.headers),
    affinity: parseAffinity(request.headers['holdfast-affinity']),
    proxied: ['x-forwarded-for', 'forwarded', 'via'].some(name => request.headers[name] !== undefined),
  };
}

/** Returns the client of a request. The proxy reports its address in `X-Real-IP`. */
export function clientOf({ headers, socket }: IncomingMessage) {
  const address = String(headers['x-real-ip'] ?? socket.remoteAddress ?? '');
  return { address: normalizeAddress(address), userAgent: headers['user-agent'] };
}

function changesSomething(request: IncomingMessage): boolean {
  return request.method !== 'GET' && request.method !== 'HEAD';
}

/** Refuses a request that another site caused. Browsers send the origin in `Origin`, and over TLS or to localhost also
 * in Sec-Fetch-Site (W3C Fetch Metadata). Programs send neither header, and are not the target of this check. */
function refuseOtherSites({ headers }: IncomingMessage): void {
  const site = headers['sec-fetch-site'];
  const isOwn = site === undefined ? isOwnOrigin(headers) : site === 'same-origin' || site === 'none';
  if (!isOwn) throw new CrossSite();
}

/** Compares the hosts but not the schemes, because a proxy that terminates TLS may not report it. A sandboxed frame
 * sends `null` as its origin. */
function isOwnOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host?.toLowerCase());
}

/** Reads a JSON body. Other declared types are refused: a form of another site can send those without a preflight (a
 * "simple request" of CORS). It cannot send JSON that way. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'];
  if (type?.split(';')[0]?.trim().toLowerCase() !== 'application/json') throw new NotJson(type);
  const bytes = await readBody(request);
  return bytes.length === 0 ? undefined : parseJson(bytes);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > bodyBytesMax) throw new BodyTooLarge(bodyBytesMax);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', function take(chunk: Buffer) {
      length += chunk.length;
      if (length <= bodyBytesMax) return void chunks.push(chunk);
      request.off('data', take).pause();
      reject(new BodyTooLarge(bodyBytesMax));
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', () => reject(new NotUnderstood('the connection ended in the middle of the body')));
  });
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new NotUnderstood('the body is not JSON: expected one object in UTF-8');
  }
}

function parseAffinity(header: string | string[] | undefined): BrokenAffinity | null {
  const reason = /^broken; *reason=([a-z]+)$/.exec(String(header ?? ''))?.[1];
  return reason === undefined ? null : { state: 'broken', reason };
}

/** Returns the values of `names`, in this order. The body must be an object with exactly these names, each a string.
 * For anything else it throws `NotUnderstood` with the expected shape. */
export function stringsOf(call: Call, ...names: readonly string[]): readonly string[] {
  const body = new Map(isObject(call.body) ? Object.entries(call.body) : []);
  const values = names.map(name => body.get(name)).filter(value => typeof value === 'string');
  if (values.length === names.length && body.size === names.length) return values;
  const shape = names.map(name => `"${name}": "..."`).join(', ');
  throw new NotUnderstood(`expected the JSON object {${shape}} and nothing else`);
}

/**
 * Checks a user name before any look-up. This reveals nothing: no user can have another name, and the rule is public.
 */
export function requireUserName(text: string): string {
  if (isUserName(text)) return text;
  throw new NotUnderstood('expected a user of 1 to 64 lower-case letters, digits or -');
}

/** True if the body has `name`. For a body with an optional name; then `stringsOf` reads the others. */
export function hasField({ body }: Call, name: string): boolean {
  return isObject(body) && Object.hasOwn(body, name);
}

/** Returns a whole number of milliseconds from the query. 0 if it is missing. */
export function millisecondsOf(call: Call, name: string, max: number): number {
  const text = call.query.get(name) ?? '0';
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  throw new NotUnderstood(`expected ${name} to be a whole number of milliseconds from 0 to ${max}`);
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A second cookie, with attributes like those of the session cookie. No link from another site needs it, so it is
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
    return `${this.#fullName(secure)}=${token}; Max-Age=${this.#lifeMs / 1000}; ${cookieAttributes(secure)}`;
  }

  clear(secure: boolean): string {
    return `${this.#fullName(secure)}=; Max-Age=0; ${cookieAttributes(secure)}`;
  }

  #fullName(secure: boolean): string {
    return secure ? `__Host-${this.#name}` : this.#name;
  }
}

function cookieAttributes(secure: boolean): string {
  return `Path=/; HttpOnly; ${secure ? 'Secure; ' : ''}SameSite=Strict`;
}

/** The order matters, because most browsers claim to be others too. */
const families: readonly [string, RegExp][] = [
  ['edge', /\bEdg(?:e|A|iOS)?\//],
  ['opera', /\b(?:OPR|Opera)\//],
  ['samsung', /\bSamsungBrowser\//],
  ['firefox', /\b(?:Firefox|FxiOS)\//],
  ['chrome', /(?:Chrome|Chromium|\bCriOS)\//],
  ['safari', /\bVersion\/.*\bSafari\//],
];

/** Returns the browser family of a User-Agent. The version changes with updates, so only the family is kept. Undefined
 * for an unknown browser. */
export function browserFamily(agent: string | undefined): string | undefined {
  if (agent === undefined) return undefined;
  return families.find(([, shape]) => shape.test(agent))?.[0];
}

/** Throws `BrowserChanged` if the family differs. A session of an unknown browser has no family and is not checked. */
export function refuseOtherBrowser(agent: string | undefined, data: SessionData | undefined): void {
  if (data?.family !== undefined && data.family !== browserFamily(agent)) throw new BrowserChanged();
}

export function keepFamily(data: SessionData, agent: string | undefined): void {
  const family = browserFamily(agent);
  if (family === undefined) delete data.family;
  else data.family = family;
}
