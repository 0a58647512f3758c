import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { cameOverTls } from '#src/sessions/cookie.js';
import { isUserName } from './accounts/accounts.js';
import { BodyTooLarge, CrossSite, NotJson, NotUnderstood } from './refusal.js';

/** One request, read whole and checked as far as every route wants it checked. */
export interface Call {
  readonly query: URLSearchParams;
  /** What stands in the path for the `:sku` of its route; empty where a route has none. */
  readonly parameter: string;
  /** The parsed JSON of a POST; undefined when there is none. */
  readonly body: unknown;
  /** The header `Cookie`, for what is no session. */
  readonly cookies: string | undefined;
  /** The header `User-Agent`. */
  readonly agent: string | undefined;
  /** Whether the browser came over TLS. */
  readonly secure: boolean;
  /** Why the proxy had to break this browser's affinity, where it did. */
  readonly affinity: BrokenAffinity | null;
  /** Whether the request came through a proxy, as far as its headers tell. */
  readonly proxied: boolean;
}

export interface BrokenAffinity {
  readonly state: 'broken';
  readonly reason: string;
}

export const bodyBytesMax = 16 * 1024;

/** Throws a `Refusal` for what no route would take. */
export async function readCall(request: IncomingMessage, query: URLSearchParams, parameter: string): Promise<Call> {
  if (changesSomething(request)) refuseOtherSites(request);
  return {
    query,
    parameter,
    body: request.method === 'POST' ? await readJson(request) : undefined,
    cookies: request.headers.cookie,
    agent: request.headers['user-agent'],
    secure: cameOverTls(request.headers),
    affinity: parseAffinity(request.headers['holdfast-affinity']),
    proxied: ['x-forwarded-for', 'forwarded', 'via'].some(name => request.headers[name] !== undefined),
  };
}

function changesSomething(request: IncomingMessage): boolean {
  return request.method !== 'GET' && request.method !== 'HEAD';
}

/**
 * Browsers say where a request comes from: in Sec-Fetch-Site (W3C Fetch Metadata), but only over TLS and to localhost,
 * and everywhere in Origin. Programs say neither and are not what this is about.
 */
function refuseOtherSites({ headers }: IncomingMessage): void {
  const site = headers['sec-fetch-site'];
  const isOwn = site === undefined ? isOwnOrigin(headers) : site === 'same-origin' || site === 'none';
  if (!isOwn) throw new CrossSite();
}

/** Without the scheme: who ends TLS in front of this server need not tell. `null` is what a sandboxed frame sends. */
function isOwnOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host?.toLowerCase());
}

/**
 * JSON only, by its declared type: a form of another site can send the other types without asking (CORS calls them
 * simple requests), this one it cannot.
 */
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

/**
 * The values of the given names, in their order, from a body that is an object of exactly these names, each a string.
 * Anything else is refused with what was expected.
 */
export function stringsOf(call: Call, ...names: readonly string[]): readonly string[] {
  const body = new Map(isObject(call.body) ? Object.entries(call.body) : []);
  const values = names.map(name => body.get(name)).filter(value => typeof value === 'string');
  if (values.length === names.length && body.size === names.length) return values;
  const shape = names.map(name => `"${name}": "..."`).join(', ');
  throw new NotUnderstood(`expected the JSON object {${shape}} and nothing else`);
}

/** Before anything is looked up: no user can have another name, and everybody may know that. */
export function checkedUser(text: string): string {
  if (isUserName(text)) return text;
  throw new NotUnderstood('expected a user of 1 to 64 lower-case letters, digits or -');
}

/** For a body in which a name may be missing: then `stringsOf` is asked for the others. */
export function hasField({ body }: Call, name: string): boolean {
  return isObject(body) && Object.hasOwn(body, name);
}

/** A whole number of milliseconds from the query, 0 when it is not given. */
export function millisecondsOf(call: Call, name: string, max: number): number {
  const text = call.query.get(name) ?? '0';
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  throw new NotUnderstood(`expected ${name} to be a whole number of milliseconds from 0 to ${max}`);
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
