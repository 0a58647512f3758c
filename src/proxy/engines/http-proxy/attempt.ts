import type { ClientRequest, IncomingMessage, InformationEvent, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  type EngineLimits,
  type HeaderEdits,
  lateBody,
  longBody,
  type Outcome,
  type RequestFlaw,
} from '../../exchange.js';
import { isIdempotent } from '../../retry.js';
import { classifyTlsFailure, isOwnFailure } from '../../sockets.js';
import { wasEstablished } from './backend-agent.js';
import type { Tunnel } from './client-socket.js';
import {
  buildAnswerLines,
  buildInterimHead,
  isReadable,
  readAnswerHead,
  selectTrailers,
  watchFraming,
} from './messages.js';
import type { HttpUpload, UploadListener } from './upload.js';

/** The client's side of an attempt. */
export interface AttemptClient {
  readonly method: string;
  /** The request target for the backend. */
  readonly target: string;
  /** The request body is chunked. */
  readonly chunked: boolean;
  readonly response: ServerResponse;
  readonly upload: HttpUpload;
  readonly limits: EngineLimits;
  /** Undefined unless the client asked for a tunnel. */
  readonly tunnel: Tunnel | undefined;
  /** The engine is closing: the client is told to reconnect. */
  readonly closing: boolean;
  /** The client has disconnected. */
  readonly gone: boolean;
  /** Answers a client whose body is late or too long. */
  giveUpOnClient(flaw: RequestFlaw): void;
}

/** Sends the request on a pooled or a fresh connection, and reports a failure of the connection. */
type Dial = (connection: 'pooled' | 'fresh', onError: (error: Error) => void) => void;

const abandoned: Outcome = { kind: 'abandoned' };
const protocolError: Outcome = { kind: 'broken-off', reason: 'http_protocol_error' };
const malformedBody: Outcome = { kind: 'cut', reason: 'http_protocol_error' };
const cutOff: Outcome = { kind: 'cut', reason: 'connection_terminated' };
/** Limit for 1xx answers to one request; a backend that exceeds it counts as failed. */
const interimsMax = 32;
const switched: Outcome = { kind: 'answered', status: 101 };

/**
 * One attempt: a request to one backend, from its first byte to its outcome.
 *
 * head awaited -> answering -> over. `settle` makes each step to `over`, and only the first outcome counts.
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
  /** The time from the end of the request to the head of the answer. */
  readonly #responseMs: number;
  /** The first connection was stale; this is the only retry on a fresh one. */
  #redialled = false;
  #interims = 0;
  /** Bytes of the answer's body, or of a tunnel. */
  bytesOut = 0;
  /** Bytes from the client through a tunnel. */
  tunnelBytesIn = 0;
  #unwatch = (): void => {};
  #over = false;

  constructor(
    client: AttemptClient,
    edits: HeaderEdits,
    dial: Dial,
    responseMs: number | undefined,
    resolve: (outcome: Outcome) => void,
  ) {
    this.#client = client;
    this.#responseMs = responseMs ?? client.limits.responseHeadMs;
    this.#edits = edits;
    this.#dial = dial;
    this.#resolve = resolve;
  }

  start(): void {
    this.#client.upload.listen(this);
    this.#arm(this.#client.upload.complete ? this.#responseMs : this.#client.limits.idleBodyMs);
    this.#dial('pooled', error => this.#failed(error));
  }

  opened(request: ClientRequest): void {
    this.#request = request;
    // http-proxy would fold slashes and parse the target again; the original target must go out.
    request.path = this.#client.target;
    this.#restoreFraming(request);
    request.on('information', interim => this.#pass(interim));
    request.on('response', answer => this.#answered(answer));
    request.on('upgrade', (answer, socket, head) => this.#upgraded(answer, socket, head));
  }

  /**
   * Restores chunked framing. http-proxy sets Content-Length to 0 on a DELETE or OPTIONS without one. The backend would
   * then read a chunked body as the next request: request smuggling.
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
    if (this.#answer === undefined) this.#arm(this.#responseMs);
  }

  overflowed(): void {
    if (this.#answer !== undefined) return void this.#cut(abandoned);
    this.refuseBody(longBody);
    this.#client.giveUpOnClient(longBody);
  }

  breakOff(mayRepeat: boolean): void {
    if (this.#answer !== undefined) return;
    if (!this.#redialled && this.#connecting) this.#settle({ kind: 'refused', reason: 'marked_down' });
    else if (mayRepeat) this.#settle({ kind: 'broken-off', reason: 'marked_down' });
  }

  /** The response to the client is over: fully written, or its connection is gone. */
  clientDone(): void {
    const status = this.#answer?.statusCode;
    if (this.#client.response.writableFinished && status !== undefined) this.#settle({ kind: 'answered', status });
    else this.#settle(abandoned);
  }

  /** Ends it because of its request body. The client gets this answer from the engine. */
  refuseBody({ status, reason }: RequestFlaw): void {
    this.#settle({ kind: 'abandoned', own: { status, text: reason } });
  }

  #failed(error: Error): void {
    if (this.#over || this.#answer?.complete) return;
    if (this.#client.gone) this.#settle(abandoned);
    // An answer that ends with its connection counts as complete in Node, even after a reset.
    else if (this.#answer !== undefined) this.#cut(cutOff);
    else if (this.#wasStale()) this.#redial();
    else this.#settle(this.#outcomeOf(error));
  }

  /** Nothing was sent on this connection yet. */
  get #connecting(): boolean {
    return !wasEstablished(this.#request?.socket ?? null);
  }

  #outcomeOf(error: Error): Outcome {
    const code = 'code' in error ? error.code : undefined;
    // Only an idempotent request is dialled again, so it may be sent again in this case too.
    if (this.#connecting && isOwnFailure(error)) return { kind: 'own-failure', reason: 'proxy_internal_error' };
    if (!this.#redialled && this.#connecting) {
      const reason = code === 'ETIMEDOUT' ? 'connection_timeout' : (classifyTlsFailure(code) ?? 'connection_refused');
      return { kind: 'refused', reason };
    }
    const isMalformed = typeof code === 'string' && code.startsWith('HPE_');
    return { kind: 'broken-off', reason: isMalformed ? 'http_protocol_error' : 'connection_terminated' };
  }

  /**
   * Whether the backend closed an idle connection just as it was reused (RFC 9112 §9.3.1). That is not a failure of the
   * backend. True once, and only for idempotent requests: the request may have arrived all the same.
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

  /**
   * Forwards a 1xx answer, except to a 1.0 client, which would take it as the final answer. 100 was already sent (see
   * `messages.ts`).
   */
  #pass(interim: InformationEvent): void {
    const { response } = this.#client;
    const { socket } = response;
    this.#interims += 1;
    // RFC 9110 §15.2: HTTP/1.0 has no interim answers, and other readers would take one as the final answer.
    if (this.#interims > interimsMax || interim.httpVersion === '1.0') this.#settle(protocolError);
    if (this.#over || socket === null || socket.writableNeedDrain || response.req.httpVersion === '1.0') return;
    if (interim.statusCode !== 100) socket.write(buildInterimHead(interim), 'latin1');
  }

  #answered(answer: IncomingMessage): void {
    if (this.#over) return;
    if (isReadable(answer) && this.#writeHead(answer)) {
      this.#answer = answer;
      this.#unwatch = watchFraming(answer, () => this.#cut(malformedBody));
      this.#arm(this.#client.limits.idleBodyMs);
      this.#pump(answer, this.#client.response);
    } else {
      this.#settle(protocolError);
    }
  }

  #writeHead(answer: IncomingMessage, more: readonly string[] = []): boolean {
    const { response } = this.#client;
    const head = readAnswerHead(answer);
    const lines = buildAnswerLines(answer, this.#edits.onAnswer(head), this.#edits.ownCookie);
    for (const part of more) lines.push(part);
    if (this.#client.closing) response.shouldKeepAlive = false;
    try {
      response.writeHead(head.status, answer.statusMessage, lines);
      return true;
    } catch {
      // Node's parser accepts some reason phrases and values that its writer rejects.
      return false;
    }
  }

  #pump(answer: IncomingMessage, response: ServerResponse): void {
    let begun = false;
    answer.on('data', chunk => {
      begun = true;
      this.bytesOut += chunk.length;
      this.#timer?.refresh();
      if (!response.write(chunk)) answer.pause();
    });
    response.on('drain', () => answer.resume());
    answer.on('end', () => {
      begun = true;
      if (answer.rawTrailers.length > 0) response.addTrailers(selectTrailers(answer));
      response.end();
    });
    answer.on('close', () => {
      if (!answer.complete) this.#cut(cutOff);
    });
    answer.on('error', () => this.#cut(cutOff));
    // A head without a body yet (server-sent events) must not wait for the first byte. A body that came in the same
    // packet has been written by then, and leaves in one packet with the head. `flushHeaders` would write bytes above
    // 0x7f as UTF-8.
    process.nextTick(() => begun || response.write('', 'latin1'));
  }

  #upgraded(answer: IncomingMessage, socket: Socket, head: Buffer): void {
    const { tunnel, response } = this.#client;
    const isOld = answer.httpVersion === '1.0';
    if (this.#over || isOld || tunnel === undefined || !this.#writeHead(answer, buildUpgradeLines(answer))) {
      socket.destroy();
      this.#settle(protocolError);
      return;
    }
    this.#answer = answer;
    clearTimeout(this.#timer);
    tunnel.open(response, socket, head, (whole, bytesIn, bytesOut) => {
      this.tunnelBytesIn = bytesIn;
      this.bytesOut = bytesOut;
      this.#settle(whole ? switched : cutOff);
    });
  }

  #cut(outcome: Outcome): void {
    if (this.#over) return;
    this.#settle(outcome);
    // Closing the connection is the only way left to show that the answer is incomplete.
    const { response } = this.#client;
    if (this.#framed) response.destroy();
    else response.socket?.resetAndDestroy();
  }

  /**
   * Whether the client can see the end of the answer. If not, it ends with the connection (HTTP/1.0), and an orderly
   * close would make it look complete.
   */
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

  /** Handles a time-out. The outcome depends on which side was being waited for. */
  #late(): void {
    const { upload, response } = this.#client;
    if (this.#answer !== undefined) {
      const unread = this.#answer.complete || response.writableNeedDrain;
      this.#cut(unread ? abandoned : { kind: 'cut', reason: 'http_response_timeout' });
    } else if (upload.complete || upload.blocked) {
      this.#settle({ kind: 'broken-off', reason: 'http_response_timeout' });
    } else {
      this.refuseBody(lateBody);
      this.#client.giveUpOnClient(lateBody);
    }
  }

  #settle(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#unwatch();
    this.#client.upload.detach();
    if (outcome.kind !== 'answered' || this.#request?.writableFinished === false) this.#request?.destroy();
    this.#resolve(outcome);
  }
}

function buildUpgradeLines(answer: IncomingMessage): string[] {
  return ['Connection', 'Upgrade', 'Upgrade', answer.headers.upgrade ?? 'websocket'];
}
