import {
  constants,
  performServerHandshake,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { ClientConnection, EngineLimits, Http2Refusal, RequestFlaw } from '../../../exchange.js';
import type { Timed } from '../connection-io.js';
import { RequestHead } from '../request-head.js';
import { ForwardedWay, type Wire } from '../wire.js';
import { readHttp2Request, readPseudoLine } from './heads.js';
import { StreamClient, type StreamOwner } from './stream-client.js';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants;

/** The time between two checks of a session. */
const checkEveryMs = 2_000;
/** Time for a client to confirm the first GOAWAY, and then to close. */
const lingerMs = 2_000;
/** A larger gap in the numbers of streams counts as this many. It is above every burst that is allowed. */
const rejectedMax = 1_000;
/** RFC 9113 §6.8: announces the end without naming a last stream. */
const anyStreamId = 2 ** 31 - 1;

/**
 * One HTTP/2 connection of a client. Node's nghttp2 reads and writes the frames; each stream becomes an exchange.
 *
 * open -> announced (GOAWAY, requests on the way are still served) -> closing (GOAWAY with the last stream) -> closed
 */
export class Http2Connection implements Timed, StreamOwner {
  readonly wire: Wire;
  readonly way: ForwardedWay;
  deadlineMs: number;
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #onClosed: (connection: Http2Connection) => void;
  readonly #floodLimits = new FloodLimits();
  readonly #streams = new Set<StreamClient>();
  readonly #checkEveryMs: number;
  #state: 'open' | 'announced' | 'closing' = 'open';
  /** When the present state ends. The state `open` ends then only if no stream is open. */
  #untilMs: number;
  /** The number of streams that became requests or were counted as rejected. */
  #accounted = 0;
  #bytesRead = 0;
  /** A flood was found. */
  #abused = false;

  constructor(wire: Wire, connection: ClientConnection, onClosed: (connection: Http2Connection) => void) {
    const { clientHeadMs, clientIdleMs } = wire.limits;
    this.wire = wire;
    this.way = new ForwardedWay(connection, wire.forwarded, wire.isTrusted);
    this.#socket = connection.socket;
    this.#onClosed = onClosed;
    this.#checkEveryMs = Math.min(checkEveryMs, clientHeadMs, clientIdleMs);
    this.#untilMs = performance.now() + clientHeadMs;
    this.deadlineMs = wire.deadlines.in(this.#checkEveryMs);
    this.#session = performServerHandshake(this.#socket, buildSessionOptions(wire.limits));
    wire.deadlines.add(this);
    this.#listen();
  }

  #listen(): void {
    const session = this.#session;
    session.on('stream', (stream: ServerHttp2Stream, _: unknown, flags: number, fields: unknown) =>
      this.#begin(stream, flags, fields),
    );
    session.on('error', error => this.#failed(error));
    session.on('remoteSettings', () => this.#allow('settings-flood'));
    session.on('ping', () => this.#allow('ping-flood'));
    session.on('priority', this.#onPriority);
    // A client that closes its side is gone: without its WINDOW_UPDATE frames an answer could not be sent.
    this.#socket.on('end', () => this.destroy());
    this.#socket.on('close', () => this.#closed());
  }

  readonly #onPriority = (): void => this.#allow('priority-flood');

  #begin(stream: ServerHttp2Stream, flags: number, fields: unknown): void {
    const nth = Math.ceil((stream.id ?? 0) / 2);
    // Some clients do not begin with 1.
    if (this.#accounted > 0) this.#countRejected(nth - 1);
    this.#accounted = Math.max(this.#accounted, nth);
    if (this.#abused || this.#session.destroyed) return;
    const client = new StreamClient(this, stream);
    stream.on('priority', this.#onPriority);
    this.#streams.add(client);
    // The client has reset it in the meantime, so no backend is asked.
    if (client.gone) return void this.forget(client, true);
    const ended = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    this.#serve(client, toFields(fields), ended);
    // Within the call of nghttp2 that reports the frame, GOAWAY would not be sent.
    if (this.wire.draining) setImmediate(() => this.closing());
  }

  #serve(client: StreamClient, fields: readonly string[], ended: boolean): void {
    const head = readHttp2Request(fields, ended, this.wire.limits);
    if (head instanceof RequestHead) return void client.serve(head);
    this.#countFlaw(head);
    client.reject(head, 'not-sent', readPseudoLine(fields));
  }

  #countFlaw({ status }: RequestFlaw): void {
    // A well-formed request with a body that is too long.
    if (status === 413) return;
    this.wire.onHttp2Refused(status === 414 || status === 431 ? 'head-too-large' : 'malformed');
    this.#allow('reset-flood');
  }

  forget(client: StreamClient, reset: boolean): void {
    if (!this.#streams.delete(client)) return;
    if (reset) this.#allow('reset-flood');
    if (this.#streams.size > 0) return;
    const { clientIdleMs } = this.wire.limits;
    this.#untilMs = performance.now() + (this.#state === 'open' ? clientIdleMs : lingerMs);
    if (this.#state === 'announced') this.#finish();
  }

  /**
   * Counts the streams up to the `nth` that Node rejected. Node does not report them, because it rejects them before
   * JavaScript sees a request. Clients number their streams without gaps, so each gap is a rejected stream.
   */
  #countRejected(nth: number): void {
    const rejected = Math.min(nth - this.#accounted, rejectedMax);
    if (rejected <= 0) return;
    this.#accounted = nth;
    for (let each = 0; each < rejected; each += 1) this.wire.onHttp2Refused('rejected');
    this.#allow('reset-flood', rejected);
  }

  #allow(flood: Flood, count = 1): void {
    if (this.#abused || this.#session.destroyed || this.#floodLimits.allow(flood, count)) return;
    this.#abused = true;
    this.wire.onHttp2Refused(flood);
    // Within the call of nghttp2 that reports the frame, GOAWAY would not be sent.
    setImmediate(() => this.#end(flood));
  }

  #failed(error: Error): void {
    const reason = classifySessionError(error);
    if (reason !== undefined) this.wire.onHttp2Refused(reason);
  }

  /** Tells the client why it is closed (RFC 9113 §7), and closes it. */
  #end(reason: Http2Refusal): void {
    this.#state = 'closing';
    this.#untilMs = performance.now() + lingerMs;
    this.#session.destroy(new Error(reason), NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /**
   * Sends GOAWAY to a client that waits for an answer. An idle client gets it with its next answer. With an earlier GOAWAY, a
   * request that is already on its way would not be served.
   */
  onDraining(): void {
    if (this.#streams.size > 0) this.closing();
  }

  /**
   * Called when the engine closes, and when the connection was idle for too long. Open streams are finished. A stream that the
   * last GOAWAY does not cover was not served, so a client may send its request again elsewhere (RFC 9113 §6.8).
   */
  closing(): void {
    if (this.#state !== 'open' || this.#session.destroyed) return;
    // After any GOAWAY, Node reads only while there are streams.
    if (this.#streams.size === 0) return void this.#finish();
    this.#state = 'announced';
    this.#untilMs = performance.now() + lingerMs;
    this.#session.goaway(NGHTTP2_NO_ERROR, anyStreamId);
    // The answer shows that the client has read the announcement. Requests that crossed it have arrived by then.
    if (!this.#session.ping(() => this.#finish())) this.#finish();
  }

  #finish(): void {
    if (this.#state === 'closing') return;
    this.#state = 'closing';
    this.#untilMs = performance.now() + lingerMs;
    this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  late(): void {
    this.deadlineMs = this.wire.deadlines.in(this.#checkEveryMs);
    if (this.#socket.bytesRead !== this.#bytesRead) this.#countRejected(countStreamsSeen(this.#session));
    this.#bytesRead = this.#socket.bytesRead;
    if (performance.now() < this.#untilMs) return;
    if (this.#state === 'announced') this.#finish();
    else if (this.#streams.size > 0) return;
    else if (this.#state === 'open') this.closing();
    else this.destroy();
  }

  #closed(): void {
    this.wire.deadlines.delete(this);
    this.#onClosed(this);
  }
}

/** Node hands over the fields as received, beside an object that lacks the second of two equal names. */
function toFields(given: unknown): readonly string[] {
  return Array.isArray(given) ? given : [];
}

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
function buildSessionOptions({ headerBytesMax, headerFieldsMax }: EngineLimits): SecureServerOptions {
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
type Flood = 'reset-flood' | 'settings-flood' | 'ping-flood' | 'priority-flood';

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
class FloodLimits {
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
function classifySessionError(error: Error): Http2Refusal | undefined {
  if (!('code' in error)) return undefined;
  if (error.code === 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES') return 'invalid-frames';
  if (error.code !== 'ERR_HTTP2_ERROR') return undefined;
  const cause = 'errno' in error && typeof error.errno === 'number' ? causes.get(error.errno) : undefined;
  return cause ?? 'protocol-error';
}

/** Returns how many requests Node has seen, in any state; 0 after the end of the session. */
function countStreamsSeen({ state }: ServerHttp2Session): number {
  return Math.ceil((state.lastProcStreamID ?? 0) / 2);
}
