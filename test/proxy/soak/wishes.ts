import { createHash } from 'node:crypto';
import { pickWeighted, type Random } from '#src/simulator/plan/random.js';

/** The kinds of requests; each is a habit of real clients. */
export type WishKind =
  | 'get'
  | 'head'
  | 'post'
  | 'large-post'
  | 'chunked-post'
  | 'download'
  | 'slow-reader'
  | 'closing'
  | 'leaving'
  | 'leaving-upload'
  | 'pipeline'
  | 'websocket';

/** One planned request of a client. */
export interface Wish {
  readonly kind: WishKind;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly token: string;
  /** How long the backend takes before it answers. */
  readonly thinkMs: number;
  readonly body: Buffer | undefined;
  /** The answer's size for a download; else 0. */
  readonly bytes: number;
  /** How long a WebSocket stays open; else 0. */
  readonly staysMs: number;
}

/** The largest body that a proxy keeps for a retry. */
const replayBytesMax = 64 * 1024;

const weights: readonly (readonly [WishKind, number])[] = [
  ['get', 40],
  ['head', 6],
  ['post', 20],
  ['large-post', 3],
  ['chunked-post', 5],
  ['download', 3],
  ['slow-reader', 1],
  ['closing', 8],
  ['leaving', 4],
  ['leaving-upload', 3],
  ['pipeline', 5],
  ['websocket', 2],
];

/** Draws the next wish from the random stream; `token` is unique. */
export function drawWish(random: Random, token: string): Wish {
  const kind = pickWeighted(random, weights) ?? 'get';
  const thinkMs = random() < 0.5 ? 0 : Math.ceil(random() ** 3 * 400);
  const bytes = bytesOf(kind, random);
  const body = bodyOf(kind, random, token);
  const staysMs = kind === 'websocket' ? Math.round(2_000 + random() * 8_000) : 0;
  return { kind, method: methodOf(kind), token, thinkMs, body, bytes, staysMs };
}

/** Whether the proxy may retry on a second backend after the first one broke off. */
export function isRepeatable({ method, body }: Wish): boolean {
  return method !== 'POST' && (body === undefined || body.length <= replayBytesMax);
}

/** Makes a body of this size that is unique to the token. */
export function filler(token: string, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${token}\n`);
}

/** Returns the answer's expected body. */
export function rightAnswer({ method, token, body, bytes }: Wish): Buffer {
  if (method === 'HEAD') return Buffer.alloc(0);
  if (bytes > 0) return filler(token, bytes);
  if (method !== 'POST') return Buffer.from(`${token}\n`);
  const sum = createHash('sha1')
    .update(body ?? '')
    .digest('hex');
  return Buffer.from(`${token} ${sum}\n`);
}

function methodOf(kind: WishKind): Wish['method'] {
  if (kind === 'head') return 'HEAD';
  return kind.endsWith('post') || kind === 'leaving-upload' ? 'POST' : 'GET';
}

function bytesOf(kind: WishKind, random: Random): number {
  if (kind === 'download') return Math.ceil(random() * 2 ** 21);
  return kind === 'slow-reader' ? 2 ** 21 : 0;
}

function bodyOf(kind: WishKind, random: Random, token: string): Buffer | undefined {
  if (methodOf(kind) !== 'POST') return undefined;
  const most = kind === 'post' ? 2_000 : 400_000;
  return filler(token, 1 + Math.floor(random() * most));
}
