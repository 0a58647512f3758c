import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { escapeForPattern } from '../shared/text.js';
import { bodyCharactersMax } from './recording.js';

/**
 * Maps the address of the app to the address that the browser of a pass uses, and back. The app gets the Host that it
 * gets in a check and a run. The browser sees one host name for each pass, so that each pass has its own cookies and
 * storage: cookies ignore ports. Pure.
 */
export interface Origins {
  /** The address of the app, such as `http://127.0.0.1:23456`. */
  readonly app: string;
  /** The host and port that the browser uses, such as `pass-1-4821.localhost:7700`. */
  readonly browserHost: string;
}

export type HeaderPairs = readonly (readonly [string, string])[];

/** Headers for one connection only. A proxy does not pass them on. */
const hopByHop = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'expect'],
]);
/** With these the app could answer "not modified" without a body. */
const conditional = new Set(['if-none-match', 'if-modified-since', 'if-range']);
const decodable = /^(?:gzip|br|deflate)\b/;

/** Returns the headers that the app gets, with names in lower case. */
export function toAppHeaders(raw: HeaderPairs, origins: Origins): HeaderPairs {
  const named = raw.map(([name, value]) => [name.toLowerCase(), value] as const);
  const kept = named.filter(([name]) => !hopByHop.has(name) && !conditional.has(name));
  return kept.map(([name, value]) => {
    if (name === 'host') return [name, new URL(origins.app).host];
    if (name === 'origin' || name === 'referer') return [name, toAppText(value, origins)];
    if (name === 'accept-encoding') return [name, keepDecodable(value)];
    return [name, value];
  });
}

function toAppText(value: string, { app, browserHost }: Origins): string {
  const browser = `http://${browserHost}`;
  return value === browser || value.startsWith(`${browser}/`) ? app + value.slice(browser.length) : value;
}

function keepDecodable(value: string): string {
  const kept = value.split(',').map(each => each.trim());
  return kept.filter(each => decodable.test(each)).join(', ') || 'identity';
}

/** Returns the headers that the browser gets. A cookie loses its Domain, which names the host of the app. */
export function toBrowserHeaders(raw: HeaderPairs, origins: Origins): HeaderPairs {
  const toBrowser = makeToBrowser(origins);
  return raw.flatMap(([written, value]): HeaderPairs => {
    const name = written.toLowerCase();
    if (hopByHop.has(name) || name === 'strict-transport-security') return [];
    if (name === 'set-cookie') return [[written, value.replace(/;\s*domain=[^;]*/gi, '')]];
    if (name === 'content-security-policy')
      return [[written, toBrowser(value).replace(/(^|;)\s*upgrade-insecure-requests\s*(?=;|$)/gi, '$1')]];
    // Otherwise the browser could show a page without asking, and the pass would lack it.
    if (name === 'cache-control' || name === 'expires' || name === 'etag' || name === 'last-modified') return [];
    return [[written, toBrowser(value)]];
  });
}

/** Returns the headers as they are recorded: names in lower case, and a redirect within the app as a path. */
export function toRecordedHeaders(raw: HeaderPairs, origins: readonly string[]): HeaderPairs {
  return raw.map(([written, value]) => {
    const name = written.toLowerCase();
    return [name, name === 'location' ? toOwnPath(value, origins) : value];
  });
}

/** Returns the path of an address in one of the origins. Any other address stays as it is. */
export function toOwnPath(address: string, origins: readonly string[]): string {
  const own = origins.find(origin => address.startsWith(origin) && /^(?:$|[/?#])/.test(address.slice(origin.length)));
  return own === undefined ? address : address.slice(own.length).replace(/^(?!\/)/, '/');
}

/** Returns a function that replaces each address of the app in a text by that of the browser, also in escaped JSON. */
export function makeToBrowser({ app, browserHost }: Origins): (text: string) => string {
  const { hostname, port } = new URL(app);
  const names = [...new Set([hostname, '127.0.0.1', 'localhost', '[::1]'])].map(escapeForPattern).join('|');
  const place = port === '' ? '(?::80)?(?![:\\w.-])' : `:${port}(?!\\d)`;
  const pattern = new RegExp(`\\b(http|ws)s?:((?:\\\\?/){2})(?:${names})${place}`, 'gi');
  return text =>
    text.replace(pattern, (_whole, scheme: string, slashes: string) => `${scheme}:${slashes}${browserHost}`);
}

/** The kind of a body: a stream never ends by itself, and only a text is recorded. */
type RecordedKind = 'text' | 'stream' | 'other';

const textTypes =
  /^(?:text\/(?!css)|application\/(?:[\w.+-]*\+)?(?:json|xml|javascript|x-www-form-urlencoded|graphql))/;
const streamTypes = /^(?:text\/event-stream|application\/(?:x-ndjson|grpc)|multipart\/x-mixed-replace)/;

export function findHeader(headers: HeaderPairs, wanted: string): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** Returns the kind of a body by its headers. A body without a type can be a text. */
export function findKind(headers: HeaderPairs): RecordedKind {
  const type = findHeader(headers, 'content-type')?.trim().toLowerCase() ?? '';
  if (streamTypes.test(type)) return 'stream';
  return type === '' || textTypes.test(type) || type.startsWith('multipart/form-data') ? 'text' : 'other';
}

/** Returns a decoded body as text. Undefined when it is too long, damaged or no text. */
export function readText(bytes: Buffer, headers: HeaderPairs): string | undefined {
  if (findKind(headers) !== 'text') return undefined;
  try {
    const plain = decode(bytes, findHeader(headers, 'content-encoding')?.trim().toLowerCase() ?? 'identity');
    const charset = charsetOf(headers);
    const text = new TextDecoder(charset ?? 'utf-8', { fatal: charset === undefined }).decode(plain);
    return text.length > bodyCharactersMax ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Returns whether the headers name no character set but UTF-8. */
export function isUtf8(headers: HeaderPairs): boolean {
  return /^utf-?8$/i.test(charsetOf(headers) ?? 'utf-8');
}

function charsetOf(headers: HeaderPairs): string | undefined {
  return /;\s*charset="?([\w-]+)/i.exec(findHeader(headers, 'content-type') ?? '')?.[1];
}

/** Throws for an unknown encoding, for damaged bytes, and when the result is too long. */
function decode(bytes: Buffer, encoding: string): Buffer {
  // A character of UTF-8 has at most four bytes.
  const limit = { maxOutputLength: 4 * bodyCharactersMax };
  if (bytes.length === 0) return bytes;
  if (encoding === 'gzip' || encoding === 'x-gzip') return gunzipSync(bytes, limit);
  if (encoding === 'br') return brotliDecompressSync(bytes, limit);
  // Some servers send deflate without the header of zlib.
  if (encoding === 'deflate')
    return ((bytes[0] ?? 0) & 0x0f) === 8 ? inflateSync(bytes, limit) : inflateRawSync(bytes, limit);
  if (encoding === 'identity' || encoding === '') return bytes;
  throw new Error(`unknown content-encoding ${encoding}`);
}
