import type { IncomingMessage } from 'node:http';
import { isWeight, weightExpected } from '../backends.js';

/** The parsed body, or what is wrong with it and what was expected. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

/** At least one of `state` and `weight` is given. */
export interface BackendChange {
  readonly state: 'drain' | 'maint' | 'ready' | undefined;
  readonly windowMs: number | undefined;
  readonly weight: number | undefined;
}

export interface NewBackend {
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
