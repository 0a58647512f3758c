import type { Socket } from 'node:net';
import type { Backend } from '../../backends.js';
import { type HeaderEdits, lateBody, type Outcome } from '../../exchange.js';
import { isIdempotent } from '../../retry.js';
import { classifyTlsFailure, isOwnFailure } from '../../sockets.js';
import { AwaitedHead, buildAnswerHead, buildInterimHead, parseAnswerHead, type WireAnswerHead } from './answer-head.js';
import { makeAnswerBody, noBody, toShortText, type WireBody, type WireUpload } from './body.js';
import { firstOf, quickBytesMax } from './connection-io.js';
import { headEnd } from './head-text.js';
import type { RequestHead } from './request-head.js';
import type { Upstream, UpstreamUser } from './upstream.js';
import type { ExchangeClient, Wire } from './wire.js';

const abandoned: Outcome = { kind: 'abandoned' };
const ownFailure: Outcome = { kind: 'own-failure', reason: 'proxy_internal_error' };
const foundDown: Outcome = { kind: 'refused', reason: 'marked_down' };
const protocolError: Outcome = { kind: 'broken-off', reason: 'http_protocol_error' };
const malformedBody: Outcome = { kind: 'cut', reason: 'http_protocol_error' };
const cutOff: Outcome = { kind: 'cut', reason: 'connection_terminated' };
const switched: Outcome = { kind: 'answered', status: 101 };

/** Everything that an attempt is built from. */
interface AttemptParts {
  readonly wire: Wire;
  readonly client: ExchangeClient;
  readonly head: RequestHead;
  readonly upload: WireUpload;
}

/**
 * One attempt: a request to one backend, from its first byte to its outcome.
 *
 * head awaited -> answering -> over. `#settle` makes each step to `over`, and only the first outcome counts.
 */
export class WireAttempt implements UpstreamUser {
  readonly #parts: AttemptParts;
  readonly #backend: Backend;
  readonly #edits: HeaderEdits;
  readonly #text: string;
  /** The head is not written yet, so it may leave together with the beginning of its body. */
  #unsent = false;
  readonly #resolve: (outcome: Outcome) => void;
  #upstream: Upstream | undefined;
  /** Set when the head did not arrive whole in one read. */
  #awaited: AwaitedHead | undefined;
  #answer: WireAnswerHead | undefined;
  #body: WireBody = noBody;
  /** The client can see the end of the answer from its framing. */
  #framed = true;
  #keep = true;
  /** The whole answer was written; only the client's reading is awaited. */
  #handedOver = false;
  /** The first connection was stale; this is the only retry on a fresh one. */
  #redialled = false;
  #over = false;
  /** Bytes of a longer answer body as it was sent, or of a tunnel. */
  #sentBytes = 0;
  /** Bytes from the client through a tunnel. */
  tunnelBytesIn = 0;

  constructor(
    parts: AttemptParts,
    backend: Backend,
    edits: HeaderEdits,
    text: string,
    resolve: (outcome: Outcome) => void,
  ) {
    this.#parts = parts;
    this.#backend = backend;
    this.#edits = edits;
    this.#text = text;
    this.#resolve = resolve;
  }

  /** Bytes of the answer's body that were sent, with the lines of chunks. A short body goes out together with its head,
   * so its length is taken from the head. */
  get bytesOut(): number {
    const answer = this.#answer;
    if (answer === undefined || this.#sentBytes > 0 || this.#body !== noBody) return this.#sentBytes;
    return this.#hasNoBody(answer) ? 0 : Math.max(0, answer.length);
  }

  start(): void {
    const { wire, head } = this.#parts;
    this.#send(wire.upstreams.take(this.#backend.url, isIdempotent(head.method)));
  }

  #send(upstream: Upstream): void {
    const { socket, established } = upstream;
    this.#upstream = upstream;
    upstream.use(this);
    this.#parts.wire.writes.hold(socket);
    this.#unsent = true;
    if (established) this.connected();
    this.#sendHead(socket, '');
  }

  /**
   * Writes the head once, with `body` after it. Does nothing if the attempt is already over, for example after a
   * malformed body.
   */
  #sendHead(socket: Socket, body: string): void {
    if (!this.#unsent || this.#over) return;
    this.#unsent = false;
    socket.write(this.#text + body, 'latin1');
  }

  connected(): void {
    if (this.#parts.head.hasBody) this.#pourBody();
    else this.#arm();
  }

  /** Reads the body only once a backend is connected, so that a refused connection loses nothing of it. */
  #pourBody(): void {
    this.#arm();
    const { upload, client } = this.#parts;
    const whole = upload.pourWhole();
    if (whole !== undefined) return void this.#sendWhole(whole);
    upload.pour((parts, complete) => this.#pass(parts, complete));
    if (!upload.complete) client.readBody();
  }

  /** Sends a body that arrived with its head. The head may have been written before the connection was made. */
  #sendWhole(body: string): void {
    const socket = this.#upstream?.socket;
    if (socket === undefined) return;
    if (this.#unsent) this.#sendHead(socket, body);
    else socket.write(body, 'latin1');
  }

  #pass(parts: readonly Buffer[], complete: boolean): void {
    const socket = this.#upstream?.socket;
    if (socket === undefined) return;
    const text = this.#unsent ? toShortText(parts) : undefined;
    this.#sendHead(socket, text ?? '');
    if (text === undefined) for (const part of parts) this.#parts.wire.reads.write(socket, part);
    if (!complete) {
      this.#upstream?.readAfterFailedWrite();
      if (socket.writableNeedDrain) this.#parts.client.pauseBody();
    }
    // Also restarted while the answer arrives: the answer may depend on the rest of the body.
    this.#arm();
  }

  drained(): void {
    if (this.#parts.upload.complete) return;
    this.#arm();
    this.#parts.client.resumeBody();
  }

  received(lent: Buffer, count: number): void {
    if (this.#over) return;
    if (this.#answer !== undefined) this.#readBody(firstOf(lent, count));
    else if (count > quickBytesMax || this.#awaited !== undefined) this.#readHead(firstOf(lent, count));
    else this.#readText(lent, count);
  }

  /** Fast path for the usual case: the head of an answer with its whole body. */
  #readText(lent: Buffer, count: number): void {
    const text = lent.toString('latin1', 0, count);
    const end = text.indexOf(headEnd);
    const at = end + headEnd.length;
    if (end === -1 || end > this.#parts.wire.limits.headerBytesMax) return void this.#readHead(firstOf(lent, count));
    const head = parseAnswerHead(text.slice(0, end + 2), this.#edits.ownCookie);
    if (head === undefined) return void this.#settle(protocolError);
    if (head.status < 200) return void this.#readHead(firstOf(lent, count));
    const length = this.#hasNoBody(head) ? 0 : head.length;
    if (head.chunked || length !== count - at) return void this.#begin(head, firstOf(lent, count), at);
    this.#answer = head;
    this.#keep = this.#parts.client.mayStay;
    this.#parts.client.write(this.#headText(head, false) + text.slice(at));
    this.#whole(true);
  }

  #hasNoBody({ status }: WireAnswerHead): boolean {
    return this.#parts.head.method === 'HEAD' || status === 204 || status === 304;
  }

  #readHead(lent: Buffer): void {
    const { headerBytesMax } = this.#parts.wire.limits;
    this.#awaited ??= new AwaitedHead(headerBytesMax, this.#edits.ownCookie, head => this.#passInterim(head));
    const read = this.#awaited.read(lent);
    if (read === 'more') return;
    if (read === 'flaw') this.#settle(protocolError);
    else if (read.head.status === 101) this.#switch(read.head, read.bytes.subarray(read.at));
    else this.#begin(read.head, read.bytes, read.at);
  }

  /**
   * Forwards a 1xx answer, except to a 1.0 client, which would take it as the final answer. 100 was already sent (see
   * `Client.readBody`).
   */
  #passInterim(head: WireAnswerHead): void {
    const { client, head: request } = this.#parts;
    if (head.status !== 100 && request.minor === 1 && !client.blocked) client.write(buildInterimHead(head));
  }

  #begin(head: WireAnswerHead, bytes: Buffer, at: number): void {
    const { client, head: request } = this.#parts;
    const bodyless = this.#hasNoBody(head);
    const how = request.minor === 1 && !client.framesAnswers ? 'chunks' : 'closing';
    this.#body = bodyless ? noBody : makeAnswerBody(head, how);
    this.#framed = bodyless || head.length !== -1 || how === 'chunks';
    const out: Buffer[] = [];
    const next = this.#body.read(bytes, at, out);
    if (next === -1) return void this.#settle(protocolError);
    this.#answer = head;
    this.#keep = client.mayStay && this.#framed;
    const chunked = !bodyless && head.length === -1 && how === 'chunks';
    this.#write(this.#headText(head, chunked), out);
    this.#go(next < bytes.length);
  }

  #headText(head: WireAnswerHead, chunked: boolean): string {
    const framing = chunked ? 'transfer-encoding: chunked\r\n' : '';
    const text = buildAnswerHead(head, this.#edits.onAnswer(head));
    return `${text}${framing}${this.#parts.client.connectionLine(this.#keep)}\r\n`;
  }

  #write(head: string, body: readonly Buffer[]): void {
    const { client } = this.#parts;
    for (const part of body) this.#sentBytes += part.length;
    const text = toShortText(body);
    if (text === undefined) client.writeAll(head, body);
    else client.write(head + text);
  }

  #readBody(bytes: Buffer): void {
    const out: Buffer[] = [];
    const next = this.#body.read(bytes, 0, out);
    if (next === -1) return void this.#cut(malformedBody);
    for (const part of out) this.#sentBytes += part.length;
    const [first] = out;
    if (out.length === 1 && first !== undefined) this.#parts.client.write(first);
    else if (out.length > 1) this.#parts.client.writeAll('', out);
    this.#go(next < bytes.length);
  }

  /** Continues after a part of the answer. `more`: the backend sent unrequested bytes after it. */
  #go(more: boolean): void {
    if (this.#body.done) return void this.#whole(!more);
    this.#arm();
    if (this.#parts.client.blocked) this.#upstream?.socket.pause();
  }

  /** The client takes more data. */
  clientDrained(): void {
    if (this.#handedOver) return void this.#finish();
    this.#upstream?.socket.resume();
    this.#arm();
  }

  #whole(clean: boolean): void {
    const { wire, client, upload } = this.#parts;
    const upstream = this.#upstream;
    this.#upstream = undefined;
    if (clean && this.#answer?.persistent && upload.complete) {
      if (upstream !== undefined) wire.upstreams.putBack(this.#backend.url, upstream, this.#answer.keepAlive);
    } else upstream?.destroy();
    this.#handedOver = true;
    if (client.blocked) client.deadlineMs = wire.deadlines.in(wire.limits.idleBodyMs);
    else this.#finish();
  }

  #finish(): void {
    const keep = this.#keep;
    this.#settle({ kind: 'answered', status: this.#answer?.status ?? 0 });
    this.#parts.client.answered(keep);
  }

  ended(): void {
    if (this.#answer === undefined) return void this.failed(undefined);
    if (this.#answer.length !== -1 || this.#answer.chunked) return void this.#cut(cutOff);
    if (this.#framed) this.#parts.client.write('0\r\n\r\n');
    this.#whole(false);
  }

  failed(error: Error | undefined): void {
    if (this.#over) return;
    if (this.#answer !== undefined) this.#cut(cutOff);
    else if (this.#wasStale()) this.#redial();
    else this.#settle(this.#outcomeOf(error));
  }

  #outcomeOf(error: Error | undefined): Outcome {
    const connecting = this.#upstream?.established === false;
    // Only an idempotent request is dialled again, so it may be sent again in this case too.
    if (connecting && isOwnFailure(error)) return ownFailure;
    if (!this.#redialled && connecting) {
      const code = error !== undefined && 'code' in error ? error.code : undefined;
      const reason = code === 'ETIMEDOUT' ? 'connection_timeout' : 'connection_refused';
      return { kind: 'refused', reason: classifyTlsFailure(code) ?? reason };
    }
    return { kind: 'broken-off', reason: 'connection_terminated' };
  }

  /**
   * Whether the backend closed an idle connection just as it was reused (RFC 9112 §9.3.1). That is not a failure of the
   * backend. True once, and only for idempotent requests: the request may have arrived all the same.
   */
  #wasStale(): boolean {
    const { head, upload } = this.#parts;
    const reused = this.#upstream?.reused === true && !this.#redialled && this.#awaited === undefined;
    return reused && isIdempotent(head.method) && upload.replayable;
  }

  #redial(): void {
    this.#redialled = true;
    this.#parts.upload.stop();
    this.#parts.client.pauseBody();
    this.#upstream?.destroy();
    this.#send(this.#parts.wire.upstreams.dial(this.#backend.url));
  }

  /** Handles a time-out. The outcome depends on which side was being waited for. */
  late(): void {
    const { client, upload } = this.#parts;
    if (this.#answer !== undefined) {
      this.#cut(client.blocked ? abandoned : { kind: 'cut', reason: 'http_response_timeout' });
    } else if (this.#upstream?.established === false) {
      this.#settle({ kind: this.#redialled ? 'broken-off' : 'refused', reason: 'connection_timeout' });
    } else if (upload.complete || this.#upstream?.socket.writableNeedDrain) {
      this.#settle({ kind: 'broken-off', reason: 'http_response_timeout' });
    } else {
      this.#settle({ kind: 'abandoned', own: { status: lateBody.status, text: lateBody.reason } });
      client.bodyIsLate();
    }
  }

  breakOff(mayRepeat: boolean): void {
    if (this.#answer !== undefined) return;
    if (!this.#redialled && this.#upstream?.established === false) this.#settle(foundDown);
    else if (mayRepeat) this.#settle({ kind: 'broken-off', reason: 'marked_down' });
  }

  /** `own`: the client got this answer from the engine. */
  clientGone(own?: Extract<Outcome, { kind: 'abandoned' }>['own']): void {
    this.#settle(own === undefined ? abandoned : { kind: 'abandoned', own });
  }

  /** Whether a part of the answer may have reached the client. */
  get begun(): boolean {
    return this.#answer !== undefined;
  }

  #switch(head: WireAnswerHead, early: Buffer): void {
    const { client, head: request } = this.#parts;
    const upstream = this.#upstream;
    if (!request.upgrade || upstream === undefined) return void this.#settle(protocolError);
    this.#answer = head;
    this.#upstream = undefined;
    const text = buildAnswerHead(head, this.#edits.onAnswer(head));
    const line = `${text}Connection: Upgrade\r\nUpgrade: ${head.upgrade ?? 'websocket'}\r\n\r\n`;
    client.becomeTunnel(line, upstream.release(), early, (whole, bytesIn, bytesOut) => {
      this.tunnelBytesIn = bytesIn;
      this.#sentBytes = bytesOut;
      this.#settle(whole ? switched : cutOff);
    });
  }

  #cut(outcome: Outcome): void {
    if (this.#over) return;
    this.#settle(outcome);
    // Closing the connection is the only way left to show that the answer is incomplete. If the answer ends with the
    // connection (HTTP/1.0), an orderly close would make it look complete, so it is reset.
    if (this.#framed) this.#parts.client.destroy();
    else this.#parts.client.reset();
  }

  #arm(): void {
    if (this.#upstream === undefined) return;
    const { wire, upload } = this.#parts;
    const headAwaited = this.#answer === undefined && upload.complete;
    const { responseHeadMs, idleBodyMs } = wire.limits;
    const { responseMs = responseHeadMs } = this.#backend;
    this.#upstream.deadlineMs = wire.deadlines.in(headAwaited ? responseMs : idleBodyMs);
  }

  #settle(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#upstream?.destroy();
    this.#upstream = undefined;
    this.#parts.upload.stop();
    this.#parts.client.pauseBody();
    this.#resolve(outcome);
  }
}
