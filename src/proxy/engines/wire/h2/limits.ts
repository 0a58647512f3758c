import type { SecureServerOptions, ServerHttp2Session } from 'node:http2';
import type { EngineLimits, Http2Refusal } from '../../../exchange.js';

/** More streams at once are refused. RFC 9113 §6.5.2 advises at least 100. */
const streamsMax = 100;
/** Flow control: what a client may send ahead on one stream. It bounds what waits for a slow backend. */
const windowBytes = 64 * 1024;
/** In MB. Over this Node refuses new streams. */
const sessionMemoryMax = 10;
/** Invalid frames and empty DATA frames, after which Node closes the session. */
const invalidFramesMax = 100;
/** Entries in one SETTINGS frame. */
const settingsMax = 32;
/** Bytes that the proxy and the coding may add to the head of a backend's answer. A longer head would end the session. */
const addedBytesMax = 64 * 1024;
/** RFC 9113 §6.5.2: each field counts 32 bytes more than its text. */
const fieldOverheadBytes = 32;
/** Node refuses a stream only at several times the limits, so that a head slightly over them gets its 431. */
const headSlack = 2;
const fieldSlack = 4;

/** Returns the bounds that Node's nghttp2 enforces by itself. It also ends a head after 8 CONTINUATION frames. */
export function buildSessionOptions({ headerBytesMax, headerFieldsMax }: EngineLimits): SecureServerOptions {
  const fieldsMax = headerFieldsMax * fieldSlack;
  return {
    maxSessionMemory: sessionMemoryMax,
    maxSessionInvalidFrames: invalidFramesMax,
    maxSessionRejectedStreams: invalidFramesMax,
    maxSettings: settingsMax,
    maxHeaderListPairs: fieldsMax,
    maxSendHeaderBlockLength: headerBytesMax + addedBytesMax,
    settings: {
      maxConcurrentStreams: streamsMax,
      initialWindowSize: windowBytes,
      maxHeaderListSize: headerBytesMax * headSlack + fieldsMax * fieldOverheadBytes,
      enableConnectProtocol: false,
    },
  };
}

/** A token bucket: it holds `burst` tokens and refills with `perSecond`. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #countedMs = performance.now();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  /** Takes `count` tokens. Returns whether there were enough. */
  take(count: number, nowMs = performance.now()): boolean {
    const refilled = this.#left + ((nowMs - this.#countedMs) / 1000) * this.#perSecond;
    this.#countedMs = nowMs;
    this.#left = Math.min(this.#burst, refilled) - count;
    return this.#left >= 0;
  }
}

/** The kinds of floods that are limited here. */
export type Flood = 'reset-flood' | 'settings-flood' | 'ping-flood' | 'priority-flood';

/**
 * The limits that nghttp2 does not enforce: valid frames that cost the server more than the client. The first row is rapid
 * reset (CVE-2023-44487): each reset stream may have opened a connection to a backend. Streams that Node rejected count as
 * well. The numbers are far above those of browsers and of gRPC.
 */
const allowed: Readonly<Record<Flood, readonly [burst: number, perSecond: number]>> = {
  'reset-flood': [500, 30],
  'settings-flood': [100, 10],
  'ping-flood': [1000, 200],
  'priority-flood': [1000, 200],
};

/** Limits the floods of one session. */
export class FloodLimits {
  readonly #buckets = new Map<Flood, TokenBucket>();

  /** Counts frames of a kind. Returns whether the session is still within its limit. */
  allow(flood: Flood, count = 1): boolean {
    let bucket = this.#buckets.get(flood);
    if (bucket === undefined) {
      bucket = new TokenBucket(...allowed[flood]);
      this.#buckets.set(flood, bucket);
    }
    return bucket.take(count);
  }
}

/** Error numbers of nghttp2 (nghttp2.h). Node does not export their names. */
const causes: ReadonlyMap<number, Http2Refusal> = new Map([
  [-904, 'unread-replies'],
  [-905, 'continuation-flood'],
]);

/** Names the reason for which Node closed a session. Undefined: the connection was lost, or the client gave an error. */
export function classifySessionError(error: Error): Http2Refusal | undefined {
  if (!('code' in error)) return undefined;
  if (error.code === 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES') return 'invalid-frames';
  if (error.code !== 'ERR_HTTP2_ERROR') return undefined;
  const cause = 'errno' in error && typeof error.errno === 'number' ? causes.get(error.errno) : undefined;
  return cause ?? 'protocol-error';
}

/** Returns how many requests Node has seen, in any state; 0 after the end of the session. */
export function countStreamsSeen({ state }: ServerHttp2Session): number {
  return Math.ceil((state.lastProcStreamID ?? 0) / 2);
}
