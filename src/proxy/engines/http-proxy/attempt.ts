import type { ClientRequest, IncomingMessage, InformationEvent, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tlsFailure } from '../../backend-tls.js';
import type { EngineLimits, HeaderEdits, Outcome } from '../../exchange.js';
import { isIdempotent } from '../../retry.js';
import { answerHead, answerLines, interimHead, isReadable, trailersOf } from './answer-head.js';
import { wasEstablished } from './backend-agent.js';
import type { Tunnel } from './tunnel.js';
import type { HttpUpload, UploadListener } from './upload.js';

/** The client's side of an attempt. */
export interface AttemptClient {
  readonly method: string;
  /** Request target for the backend. */
  readonly target: string;
  /** The body came in chunks. */
  readonly chunked: boolean;
  readonly response: ServerResponse;
  readonly upload: HttpUpload;
  readonly limits: EngineLimits;
  /** Undefined unless the client asked for one. */
  readonly tunnel: Tunnel | undefined;
  /** The engine is closing: the client is told to come back on a new connection. */
  readonly closing: boolean;
  /** Nobody is there to be answered. */
  readonly gone: boolean;
  /** The client stalled in the middle of its body: answers 408. */
  giveUpOnClient(): void;
}

/** Sends the request, on a pooled connection or a fresh one, and reports a failure of the connection. */
export type Dial = (connection: 'pooled' | 'fresh', onError: (error: Error) => void) => void;

const abandoned: Outcome = { kind: 'abandoned' };
const protocolError: Outcome = { kind: 'broken-off', reason: 'http_protocol_error' };
const cutOff: Outcome = { kind: 'cut', reason: 'connection_terminated' };
/** A backend that hints on and on does not answer. */
const interimsMax = 32;
const switched: Outcome = { kind: 'answered', status: 101 };

/**
 * One attempt: a request to one backend, from its first byte to its outcome.
 *
 * head awaited -> answering -> over, by way of `settle`, which takes the first outcome and no other.
 */
export class HttpAttempt implements UploadListener {
  readonly #client: AttemptClient;
  readonly #edits: HeaderEdits;
  readonly #dial: Dial;
  readonly #resolve: (outcome: Outcome) => void;
  #request: ClientRequest | undefined;
  #answer: IncomingMessage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = 0;
  /** The connection of the first try died of age; this is the one try on a fresh one. */
  #redialled = false;
  #interims = 0;
  #over = false;

  constructor(client: AttemptClient, edits: HeaderEdits, dial: Dial, resolve: (outcome: Outcome) => void) {
    this.#client = client;
    this.#edits = edits;
    this.#dial = dial;
    this.#resolve = resolve;
  }

  start(): void {
    this.#client.upload.listen(this);
    this.#arm(this.#client.upload.complete ? this.#client.limits.responseHeadMs : this.#client.limits.idleBodyMs);
    this.#dial('pooled', error => this.#failed(error));
  }

  opened(request: ClientRequest): void {
    this.#request = request;
    // http-proxy would fold slashes and parse the target anew; what came is what goes on.
    request.path = this.#client.target;
    this.#restoreFraming(request);
    request.on('information', interim => this.#pass(interim));
    request.on('response', answer => this.#answered(answer));
    request.on('upgrade', (answer, socket, head) => this.#upgraded(answer, socket, head));
  }

  /**
   * http-proxy gives a DELETE or OPTIONS without a Content-Length one of 0. With a chunked body behind it the backend
   * would take the body for the next request: request smuggling.
   */
  #restoreFraming(request: ClientRequest): void {
    if (!this.#client.chunked || request.hasHeader('transfer-encoding')) return;
    request.removeHeader('content-length');
    request.setHeader('transfer-encoding', 'chunked');
  }

  progressed(): void {
    this.#timer?.refresh();
  }

  sent(): void {
    if (this.#answer === undefined) this.#arm(this.#client.limits.responseHeadMs);
  }

  breakOff(): void {
    if (this.#answer === undefined) this.#settle({ kind: 'broken-off', reason: 'marked_down' });
  }

  /** The response to the client is over: written whole, or its connection is gone. */
  clientDone(): void {
    const status = this.#answer?.statusCode;
    if (this.#client.response.writableFinished && status !== undefined) this.#settle({ kind: 'answered', status });
    else this.#settle(abandoned);
  }

  #failed(error: Error): void {
    if (this.#over || this.#answer?.complete) return;
    if (this.#client.gone) this.#settle(abandoned);
    // Node calls an answer that ends with its connection whole even when that connection was reset.
    else if (this.#answer !== undefined) this.#cut(cutOff);
    else if (this.#wasStale()) this.#redial();
    else this.#settle(this.#outcomeOf('code' in error ? error.code : undefined));
  }

  #outcomeOf(code: unknown): Outcome {
    if (!this.#redialled && !wasEstablished(this.#request?.socket ?? null)) {
      const reason = code === 'ETIMEDOUT' ? 'connection_timeout' : (tlsFailure(code) ?? 'connection_refused');
      return { kind: 'refused', reason };
    }
    const garbled = typeof code === 'string' && code.startsWith('HPE_');
    return { kind: 'broken-off', reason: garbled ? 'http_protocol_error' : 'connection_terminated' };
  }

  /**
   * A backend may close an idle connection at the moment when it is used again (RFC 9112 §9.3.1): that says nothing
   * about the backend. Once, and only for what may be carried out twice: the request may have arrived all the same.
   */
  #wasStale(): boolean {
    const { method, upload } = this.#client;
    return this.#request?.reusedSocket === true && !this.#redialled && isIdempotent(method) && upload.replayable;
  }

  #redial(): void {
    this.#redialled = true;
    this.#client.upload.detach();
    this.#client.upload.listen(this);
    this.#dial('fresh', error => this.#failed(error));
  }

  /** To a 1.0 client a 1xx would be the answer itself; 100 has been answered already (see `request-head.ts`). */
  #pass(interim: InformationEvent): void {
    const { response } = this.#client;
    const { socket } = response;
    this.#interims += 1;
    // RFC 9110 §15.2: there are no interim answers in HTTP/1.0, and other readers take one for the answer.
    if (this.#interims > interimsMax || interim.httpVersion === '1.0') this.#settle(protocolError);
    if (this.#over || socket === null || socket.writableNeedDrain || response.req.httpVersion === '1.0') return;
    if (interim.statusCode !== 100) socket.write(interimHead(interim), 'latin1');
  }

  #answered(answer: IncomingMessage): void {
    if (this.#over) return;
    if (isReadable(answer) && this.#writeHead(answer)) {
      this.#answer = answer;
      this.#arm(this.#client.limits.idleBodyMs);
      this.#pump(answer, this.#client.response);
    } else {
      this.#settle(protocolError);
    }
  }

  #writeHead(answer: IncomingMessage, more: readonly string[] = []): boolean {
    const { response } = this.#client;
    const head = answerHead(answer);
    const lines = answerLines(answer, this.#edits.onAnswer(head), this.#edits.ownCookie);
    for (const part of more) lines.push(part);
    if (this.#client.closing) response.shouldKeepAlive = false;
    try {
      response.writeHead(head.status, answer.statusMessage, lines);
      return true;
    } catch {
      // A reason phrase or a value that Node's parser takes and its writer does not.
      return false;
    }
  }

  #pump(answer: IncomingMessage, response: ServerResponse): void {
    let begun = false;
    answer.on('data', chunk => {
      begun = true;
      this.#timer?.refresh();
      if (!response.write(chunk)) answer.pause();
    });
    response.on('drain', () => answer.resume());
    answer.on('end', () => {
      begun = true;
      if (answer.rawTrailers.length > 0) response.addTrailers(trailersOf(answer));
      response.end();
    });
    answer.on('close', () => {
      if (!answer.complete) this.#cut(cutOff);
    });
    answer.on('error', () => this.#cut(cutOff));
    // A head without a body yet (server-sent events) must not wait for its first byte. What came with the head in one
    // packet is written by then, and leaves with it in one packet. `flushHeaders` would write bytes above 0x7f as UTF-8.
    process.nextTick(() => begun || response.write('', 'latin1'));
  }

  #upgraded(answer: IncomingMessage, socket: Socket, head: Buffer): void {
    const { tunnel, response } = this.#client;
    const isOld = answer.httpVersion === '1.0';
    if (this.#over || isOld || tunnel === undefined || !this.#writeHead(answer, upgradeLines(answer))) {
      socket.destroy();
      this.#settle(protocolError);
      return;
    }
    this.#answer = answer;
    clearTimeout(this.#timer);
    tunnel.open(response, socket, head, whole => this.#settle(whole ? switched : cutOff));
  }

  #cut(outcome: Outcome): void {
    if (this.#over) return;
    this.#settle(outcome);
    // Closing the connection is the only way left to say that this is not all.
    const { response } = this.#client;
    if (this.#framed) response.destroy();
    else response.socket?.resetAndDestroy();
  }

  /** Otherwise the answer ends with the client's connection (HTTP/1.0), and an orderly end would say that this is all. */
  get #framed(): boolean {
    return this.#client.response.chunkedEncoding || this.#answer?.headers['content-length'] !== undefined;
  }

  #arm(ms: number): void {
    if (this.#timer !== undefined && this.#timerMs === ms) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timerMs = ms;
    this.#timer = setTimeout(() => this.#late(), ms);
  }

  /** Nothing moved for too long: whose fault it is depends on who was waited for. */
  #late(): void {
    const { upload, response } = this.#client;
    if (this.#answer !== undefined) {
      const unread = this.#answer.complete || response.writableNeedDrain;
      this.#cut(unread ? abandoned : { kind: 'cut', reason: 'http_response_timeout' });
    } else if (upload.complete || upload.blocked) {
      this.#settle({ kind: 'broken-off', reason: 'http_response_timeout' });
    } else {
      this.#settle(abandoned);
      this.#client.giveUpOnClient();
    }
  }

  #settle(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#client.upload.detach();
    if (outcome.kind !== 'answered' || this.#request?.writableFinished === false) this.#request?.destroy();
    this.#resolve(outcome);
  }
}

function upgradeLines(answer: IncomingMessage): string[] {
  return ['Connection', 'Upgrade', 'Upgrade', answer.headers.upgrade ?? 'websocket'];
}
