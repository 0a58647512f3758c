import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { lateBody, longBody, type RequestFlaw } from '../../../exchange.js';
import type { TunnelEnded } from '../../../sockets.js';
import { buildOwnAnswerText } from '../answer-head.js';
import { headEnd } from '../head-text.js';
import type { RequestHead } from '../request-head.js';
import type { ExchangeClient, ForwardedWay, Wire } from '../wire.js';
import { WireExchange } from '../wire-exchange.js';
import { type RequestLine, toHttp2Answer } from './heads.js';

const { NGHTTP2_NO_ERROR } = constants;

const lineEnd = Buffer.from('\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');

/** The connection of a stream. */
export interface StreamOwner {
  readonly wire: Wire;
  readonly way: ForwardedWay;
  /** The stream is over. `reset`: its request was not answered. */
  forget(client: StreamClient, reset: boolean): void;
}

/**
 * One HTTP/2 stream, which an attempt uses like a connection of HTTP/1.1 with one request. The answer arrives as the text
 * of HTTP/1.1 without chunks; its head is translated here. The body of the request gets the framing that its translated
 * head announces.
 */
export class StreamClient implements ExchangeClient {
  readonly way: ForwardedWay;
  readonly framesAnswers = true;
  readonly mayStay = true;
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #owner: StreamOwner;
  readonly #stream: ServerHttp2Stream;
  #exchange: WireExchange | undefined;
  /** Bytes of the body that are still to come; -1: not announced, so the backend gets chunks. */
  #left = 0;
  /** Bytes of a body without a length. */
  #bytesIn = 0;
  #reading = false;
  #listening = false;
  #owes100 = false;
  #begun = false;
  #gone = false;

  constructor(owner: StreamOwner, stream: ServerHttp2Stream) {
    this.way = owner.way;
    this.#owner = owner;
    this.#stream = stream;
    owner.wire.deadlines.add(this);
    // Its close follows, and is handled.
    stream.on('error', () => {});
    stream.on('drain', () => this.#exchange?.attempt?.clientDrained());
    stream.on('close', () => this.#closed());
  }

  get gone(): boolean {
    return this.#gone || this.#stream.closed || this.#stream.destroyed;
  }

  get blocked(): boolean {
    return this.#stream.writableNeedDrain;
  }

  serve(head: RequestHead): void {
    this.#owes100 = head.expectsContinue && head.hasBody;
    this.#left = head.chunked ? -1 : Math.max(0, head.length);
    // Without this an empty body would never end.
    if (!head.hasBody) this.#stream.resume();
    this.#exchange = new WireExchange(this.#owner.wire, this, head);
    this.#owner.wire.onExchange(this.#exchange);
  }

  connectionLine(): string {
    return '';
  }

  /** Text before the final head is a head, whole and perhaps with its body. */
  write(data: string | Buffer): void {
    if (this.gone) return;
    if (!this.#begun) this.#writeHead(typeof data === 'string' ? data : data.toString('latin1'));
    else if (typeof data === 'string') this.#stream.write(data, 'latin1');
    // The bytes may be lent.
    else this.#stream.write(Buffer.from(data));
  }

  writeAll(head: string, parts: readonly Buffer[]): void {
    if (head !== '') this.write(head);
    for (const part of parts) this.write(part);
  }

  #writeHead(text: string): void {
    const end = text.indexOf(headEnd);
    const { status, headers } = toHttp2Answer(text.slice(0, end + 2));
    if (status < 200) return void this.#stream.additionalHeaders(headers);
    const body = text.slice(end + headEnd.length);
    this.#begun = true;
    this.#stream.respond(headers);
    // Node ends these by itself: HEAD, 204, 205, 304.
    if (body !== '' && !this.#stream.writableEnded) this.#stream.write(body, 'latin1');
  }

  readBody(): void {
    if (this.gone) return;
    this.#reading = true;
    if (this.#owes100 && this.#stream.readableLength === 0) this.#stream.additionalHeaders({ ':status': 100 });
    this.#owes100 = false;
    this.#listen();
    this.#stream.resume();
  }

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#stream.pause();
    this.#stream.on('data', (bytes: Buffer) => this.#received(bytes));
    this.#stream.on('end', () => this.#ended());
  }

  pauseBody(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#stream.pause();
  }

  resumeBody(): void {
    if (this.#exchange?.upload.complete === false) this.readBody();
  }

  answered(): void {
    this.#exchange = undefined;
    this.#finish();
  }

  refuse(status: number, reason: string, headers: Readonly<Record<string, string>>, { method }: RequestHead): void {
    this.write(buildOwnAnswerText(status, reason, headers, { bodyless: method === 'HEAD', connection: '' }));
    this.answered();
  }

  bodyIsLate(): void {
    if (this.#exchange !== undefined) this.reject(lateBody, 'unknown', this.#exchange);
  }

  /** Never called: a request for an upgrade is malformed in HTTP/2. */
  becomeTunnel(_head: string, backend: Socket, _early: Buffer, ended: TunnelEnded): void {
    backend.destroy();
    ended(false, 0, 0);
    this.destroy();
  }

  endTunnel(): void {}

  /** Resets the stream: its answer is not complete. */
  destroy(): void {
    if (this.blocked) this.#owner.wire.onHttp2Refused('slow-reader');
    this.#reset();
  }

  reset(): void {
    this.destroy();
  }

  /** The answer is written, and the client does not read it. */
  late(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#owner.wire.onHttp2Refused('slow-reader');
    this.#reset();
  }

  /** Sends RST_STREAM with INTERNAL_ERROR. Node's `close` would send END_STREAM first, as if the answer were complete. */
  #reset(): void {
    this.#exchange = undefined;
    this.#stream.destroy(new Error('the stream is reset'));
  }

  /** Answers a request that is not valid, or whose body is not. `line`: what it asks for. */
  reject({ status, reason, cause }: RequestFlaw, outcome: 'not-sent' | 'unknown', line: RequestLine): void {
    const { peer: clientAddress, secure, protocol } = this.way;
    const { method, path } = line;
    const inExchange = this.#exchange !== undefined;
    const answer = { status, cause, text: reason, clientAddress, secure, method, path, protocol, inExchange };
    this.#owner.wire.onEngineAnswer?.(answer);
    this.#exchange = undefined;
    const headers = { 'proxy-status': `holdfast; error=http_request_error; outcome=${outcome}` };
    this.write(buildOwnAnswerText(status, reason, headers, { bodyless: method === 'HEAD', connection: '' }));
    this.#finish();
  }

  /** Ends the answer. RFC 9113 §8.1: a client that still sends its request is told to stop, without an error. */
  #finish(): void {
    if (this.gone) return;
    this.#reading = false;
    if (!this.#stream.writableEnded) this.#stream.end();
    if (!this.#stream.endAfterHeaders && !this.#stream.readableEnded) this.#stream.close(NGHTTP2_NO_ERROR);
    const { deadlines, limits } = this.#owner.wire;
    this.deadlineMs = deadlines.in(limits.idleBodyMs);
  }

  #received(bytes: Buffer): void {
    const upload = this.#exchange?.upload;
    if (upload === undefined) return;
    if (this.#left === -1) {
      this.#bytesIn += bytes.length;
      const { bodyBytesMax } = this.#owner.wire.limits;
      if (bodyBytesMax > 0 && this.#bytesIn > bodyBytesMax) return void this.#refuseLongBody();
      upload.pass([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, lineEnd], false);
      return;
    }
    this.#left -= bytes.length;
    if (this.#left < 0) this.#badBody();
    else upload.pass([bytes], this.#left === 0);
  }

  /** Node also ends the body of a stream that the client resets with NO_ERROR. Such a body is not complete. */
  #ended(): void {
    if (this.#exchange === undefined || this.#stream.aborted || this.#stream.closed) return;
    if (this.#left === -1) this.#exchange.upload.pass([lastChunk], true);
    else if (this.#left > 0) this.#badBody();
  }

  /** Answers 413. Its request may have been forwarded in part. */
  #refuseLongBody(): void {
    const exchange = this.#exchange;
    const begun = exchange?.attempt?.begun ?? false;
    exchange?.attempt?.clientGone(begun ? undefined : { status: longBody.status, text: longBody.reason });
    if (begun || exchange === undefined) this.#reset();
    else this.reject(longBody, 'unknown', exchange);
  }

  /** Handles a body that is not as long as announced. Its request may have been forwarded in part. */
  #badBody(): void {
    this.#owner.wire.onHttp2Refused('malformed');
    this.#exchange?.attempt?.clientGone();
    this.#reset();
  }

  #closed(): void {
    const exchange = this.#exchange;
    this.#gone = true;
    this.#exchange = undefined;
    this.#owner.wire.deadlines.delete(this);
    this.#owner.forget(this, exchange !== undefined);
    exchange?.attempt?.clientGone();
    exchange?.onGone?.();
  }
}
