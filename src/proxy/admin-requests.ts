import type { IncomingMessage } from 'node:http';

/** What a body asks for, or what is wrong with it and what was expected. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

export interface StateChange {
  readonly state: 'drain' | 'maint' | 'ready';
  readonly windowMs: number | undefined;
}

export const bodyBytesMax = 4096;
const windowMsMax = 24 * 60 * 60 * 1000;
const stateExpected = `expected {"state":"drain"|"maint"|"ready"}, with "drain" also "windowMs" (0 to ${windowMsMax})`;
const backendExpected = 'expected {"url":"http://host:port"}';

/**
 * The whole body, or `too-large`; rejects when the client breaks off. The rest of a body that is too large is thrown
 * away as it comes, for a connection that is closed with bytes unread is reset and may take the answer with it.
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

export function parseStateChange(text: string): Parsed<StateChange> {
  const body = parseObject(text, ['state', 'windowMs']);
  if (body === undefined) return wrong(stateExpected);
  const { state, windowMs } = body;
  if (state !== 'drain' && state !== 'maint' && state !== 'ready') return wrong(stateExpected);
  if (windowMs === undefined) return { ok: true, value: { state, windowMs: undefined } };
  if (state !== 'drain' || !isWindow(windowMs)) return wrong(stateExpected);
  return { ok: true, value: { state, windowMs } };
}

/** An origin and nothing more: a path, a query or a user would be silently ignored later. */
export function parseNewBackend(text: string): Parsed<URL> {
  const body = parseObject(text, ['url']);
  if (typeof body?.url !== 'string' || !URL.canParse(body.url)) return wrong(backendExpected);
  const url = new URL(body.url);
  if (url.protocol !== 'http:' || url.href !== `${url.origin}/`) return wrong(backendExpected);
  return { ok: true, value: url };
}

/** Undefined when it is no JSON object or has a key that is not in `keys`. */
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

function wrong(error: string): { readonly ok: false; readonly error: string } {
  return { ok: false, error };
}
