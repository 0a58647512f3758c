import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Backend } from '../../backends.js';
import type { ClientConnection, EngineLimits, Exchange, HeaderEdits, Outcome, RequestFlaw } from '../../exchange.js';
import { deriveClientAddress, type IsTrusted, isClientSecure, readCookieValue, trustNone } from '../../headers.js';
import { type AttemptClient, HttpAttempt } from './attempt.js';
import type { Tunnel } from './client-socket.js';
import { buildForwardedHeaders, type Forwarding, hasBody, readForwardedProto, readReportedHops } from './messages.js';
import { HttpUpload } from './upload.js';

/** The engine's services for an exchange. */
export interface Wiring {
  readonly limits: EngineLimits;
  readonly forwarded: boolean;
  /** Each connection is closed after its next answer (see `Engine.drainConnections`). */
  readonly closing: boolean;
  readonly isTrusted: IsTrusted | undefined;
  /** Reports an answer of the engine itself. */
  report(flaw: RequestFlaw, request: IncomingMessage, inExchange: boolean): void;
  /** Returns what the frontend knows about a connection. */
  of(socket: Socket): Pick<ClientConnection, 'clientAddress' | 'secure' | 'trusted'>;
  /** Sends the request with its present headers and the upload as its body. */
  forward(call: {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly upload: HttpUpload;
    readonly url: URL;
    readonly connection: 'pooled' | 'fresh';
    onError(error: Error): void;
  }): void;
}

const abandoned: Outcome = { kind: 'abandoned' };

/** A request of Node's HTTP server, as the dispatcher sees it. */
export class HttpExchange implements Exchange, AttemptClient {
  readonly method: string;
  readonly path: string;
  readonly secure: boolean;
  readonly upgrade: boolean;
  readonly target: string;
  readonly chunked: boolean;
  readonly response: ServerResponse;
  readonly upload: HttpUpload;
  readonly tunnel: Tunnel | undefined;
  #onGone: (() => void) | undefined;
  readonly #request: IncomingMessage;
  readonly #given: IncomingHttpHeaders;
  readonly host: string | undefined;
  readonly #wiring: Wiring;
  readonly #trusted: boolean;
  readonly #peer: string;
  #attempt: HttpAttempt | undefined;

  constructor(
    wiring: Wiring,
    request: IncomingMessage,
    response: ServerResponse,
    destination: { readonly target: string; readonly host: string | undefined },
    tunnel: Tunnel | undefined,
  ) {
    const { socket, headers } = request;
    this.#wiring = wiring;
    this.#request = request;
    this.#given = headers;
    this.host = destination.host;
    this.response = response;
    this.target = destination.target;
    this.method = request.method ?? 'GET';
    this.path = request.url ?? '/';
    const { clientAddress, secure, trusted } = wiring.of(socket);
    this.#peer = clientAddress;
    this.#trusted = trusted;
    this.secure = isClientSecure(secure, trusted ? readForwardedProto(headers) : undefined);
    this.tunnel = tunnel;
    this.upgrade = tunnel !== undefined;
    this.chunked = headers['transfer-encoding'] !== undefined;
    this.upload = new HttpUpload(request, hasBody(request), wiring.limits);
    response.on('close', () => this.#closed());
  }

  get onGone(): (() => void) | undefined {
    return this.#onGone;
  }

  /**
   * While it waits for a full backend, a client that closes its side counts as gone. Most such clients have given up, and
   * a backend that is full must not work for them.
   */
  set onGone(onGone: (() => void) | undefined) {
    const { socket } = this.#request;
    socket.removeListener('end', this.#stopWaiting);
    if (onGone !== undefined) socket.on('end', this.#stopWaiting);
    this.#onGone = onGone;
  }

  readonly #stopWaiting = (): void => void this.#request.socket.destroy();

  get clientAddress(): string {
    if (!this.#trusted) return this.#peer;
    return deriveClientAddress(this.#peer, readReportedHops(this.#given), this.#wiring.isTrusted ?? trustNone);
  }

  get replayable(): boolean {
    return this.upload.replayable;
  }

  get bytesIn(): number {
    return this.upload.bytes + (this.#attempt?.tunnelBytesIn ?? 0);
  }

  get bytesOut(): number {
    return this.#attempt?.bytesOut ?? 0;
  }

  get limits(): EngineLimits {
    return this.#wiring.limits;
  }

  get closing(): boolean {
    return this.#wiring.closing;
  }

  get gone(): boolean {
    return this.response.closed || this.response.destroyed || this.#request.socket.destroyed;
  }

  cookie(name: string, nth = 0): string | undefined {
    return readCookieValue(this.#given.cookie, name, nth);
  }

  /** Reads the original lines: of some fields Node's `headers` keeps only the first line. */
  header(name: string): string | undefined {
    const { headersDistinct } = this.#request;
    return Object.hasOwn(headersDistinct, name) ? headersDistinct[name]?.join(', ') : undefined;
  }

  send(backend: Backend, edits: HeaderEdits): Promise<Outcome> {
    if (this.gone) return Promise.resolve(abandoned);
    const { upload, response } = this;
    const request = this.#request;
    // http-proxy forwards these headers. The client's own head stays in `#given` for the next attempt.
    request.headers = buildForwardedHeaders(this.#forwarding(), edits);
    return new Promise(resolve => {
      this.#attempt = new HttpAttempt(
        this,
        edits,
        (connection, onError) =>
          this.#wiring.forward({ request, response, upload, url: backend.url, connection, onError }),
        backend.responseMs,
        resolve,
      );
      this.#attempt.start();
    });
  }

  breakOff(mayRepeat: boolean): void {
    this.#attempt?.breakOff(mayRepeat);
  }

  endTunnel(): void {
    this.tunnel?.end();
  }

  refuse(status: number, reason: string, headers: Readonly<Record<string, string>>): void {
    if (this.gone || this.response.headersSent) return;
    const body = Buffer.from(`${reason}\n`);
    if (this.closing) this.response.shouldKeepAlive = false;
    // Without this phrase the one from an answer that failed to be written would remain.
    this.response.writeHead(status, STATUS_CODES[status] ?? '', {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': body.length,
      'cache-control': 'no-store',
      ...headers,
    });
    this.response.end(this.method === 'HEAD' ? undefined : body);
  }

  giveUpOnClient(flaw: RequestFlaw): void {
    this.#wiring.report(flaw, this.#request, true);
    this.refuse(flaw.status, flaw.reason, {
      connection: 'close',
      'proxy-status': 'holdfast; error=http_request_error; outcome=unknown',
    });
  }

  /** The engine answers a malformed body. */
  bodyRefused(flaw: RequestFlaw): void {
    this.#attempt?.refuseBody(flaw);
  }

  #forwarding(): Forwarding {
    return {
      given: this.#given,
      httpVersion: this.#request.httpVersion,
      host: this.host,
      peer: this.#peer,
      trusted: this.#trusted,
      forwarded: this.#wiring.forwarded,
      clientAddress: this.clientAddress,
      secure: this.secure,
      upgrade: this.upgrade ? this.#given.upgrade : undefined,
    };
  }

  #closed(): void {
    this.#attempt?.clientDone();
    this.#onGone?.();
    this.upload.drop(this.limits.idleBodyMs);
  }
}
