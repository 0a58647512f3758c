import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { ClientConnection, Http2Refusal } from '../../../exchange.js';
import type { RequestFlaw } from '../../../request-flaws.js';
import type { Timed } from '../deadlines.js';
import { ForwardedWay } from '../exchange-client.js';
import { RequestHead } from '../request-head.js';
import type { Wire } from '../wire.js';
import { buildSessionOptions, classifySessionError, countStreamsSeen, type Flood, FloodLimits } from './limits.js';
import { readHttp2Request, readPseudoLine } from './request.js';
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
   * Counts the streams up to the `nth` that Node rejected. It does so before a request reaches JavaScript and reports it
   * nowhere, but clients number their streams without gaps.
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
