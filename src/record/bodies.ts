import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { bodyCharactersMax } from './limits.js';
import type { HeaderPairs } from './origins.js';

/** The kind of a body: a stream never ends by itself, and only a text is recorded. */
export type RecordedKind = 'text' | 'stream' | 'other';

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
