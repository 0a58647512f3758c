import { createServer, type IncomingMessage, type Server, ServerResponse, STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import {
  badExpectation,
  badTarget,
  bodyOnUpgrade,
  buildFlaw,
  type ClientConnection,
  type Engine,
  type EngineFactory,
  type EngineLimits,
  type EngineParts,
  type Exchange,
  lateHead,
  longHead,
  longTarget,
  malformed,
  type RequestFlaw,
  tooManyEmptyLines,
  unknownMethod,
} from '../exchange.js';
import type { IsTrusted } from '../headers.js';
import { hostOf } from '../sockets.js';
import { BackendAgents } from './http-proxy/backend-agent.js';
import { ClientSocket, Tunnel } from './http-proxy/client-socket.js';
import { HttpExchange, type Wiring } from './http-proxy/http-exchange.js';
import { findFlaw, hasBody, parseDestination } from './http-proxy/messages.js';

const nowhere = { target: '/', host: undefined };
/** Stands for a closed connection. */
const closedConnection = { clientAddress: '', secure: false, trusted: false };
const badRequest = { connection: 'close', 'proxy-status': 'holdfast; error=http_request_error; outcome=not-sent' };

export const httpProxyEngine: EngineFactory = parts => new HttpProxyEngine(parts);

/**
 * Node's HTTP server in front and http-proxy's `web` behind. Only the request side of http-proxy is used. The answer
 * side is our own, because outcomes must be exact. On an error the library sends no answer; on a time-out it aborts
 * without a report. It also writes the head before headers can be added. Upgrades are handled here too, not by its
 * `ws`. When an attempt is refused, `ws` closes the client's connection, so no other backend can be tried. It also
 * forwards a refused upgrade with broken framing.
 */
class HttpProxyEngine implements Engine, Wiring {
  readonly limits: EngineLimits;
  readonly forwarded: boolean;
  readonly isTrusted: IsTrusted | undefined;
  readonly #onExchange: (exchange: Exchange) => void;
  readonly #onEngineAnswer: EngineParts['onEngineAnswer'];
  readonly #exchanges = new WeakMap<ServerResponse, HttpExchange>();
  readonly #agents: BackendAgents;
  readonly #proxy = httpProxy.createProxyServer({ selfHandleResponse: true, ignorePath: true, toProxy: true });
  readonly #server: Server;
  readonly #clients = new Map<Socket, ClientSocket>();
  readonly #sweep: NodeJS.Timeout;
  #draining = false;
  #closing = false;
  #onEmpty = (): void => {};

  constructor({ onExchange, onEngineAnswer, limits, backendTls, forwarded, isTrusted }: EngineParts) {
    this.limits = limits;
    this.forwarded = forwarded;
    this.isTrusted = isTrusted;
    this.#onExchange = onExchange;
    this.#onEngineAnswer = onEngineAnswer;
    this.#agents = new BackendAgents(limits.connectMs, backendTls);
    const checkMs = Math.min(1000, limits.clientHeadMs / 4);
    this.#server = createServer({
      headersTimeout: limits.clientHeadMs,
      // A long upload is allowed. A stalled one is not, and the exchange watches for that.
      requestTimeout: 0,
      connectionsCheckingInterval: checkMs,
      keepAliveTimeout: limits.clientIdleMs,
      maxHeaderSize: limits.headerBytesMax,
      insecureHTTPParser: false,
      requireHostHeader: true,
    });
    this.#server.maxHeadersCount = 0;
    // A client that closes its side after its request gets its answer. Node has no type for this property.
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    this.#server.on('request', (request, response) => this.#take(request, response, findFlaw(request, limits)));
    this.#server.on('upgrade', (request, socket, head) => this.#takeUpgrade(request, socket, head));
    // CONNECT is refused with 501: a gateway tunnels to no other host. Node by itself would close without an answer.
    this.#server.on('connect', (request, socket, head) => this.#takeUpgrade(request, socket, head, unknownMethod));
    this.#server.on('checkContinue', (request, response) => {
      const flaw = findFlaw(request, limits);
      if (flaw === undefined) response.writeContinue();
      this.#take(request, response, flaw);
    });
    this.#server.on('checkExpectation', (request, response) => this.#take(request, response, badExpectation));
    this.#server.on('clientError', (error, socket) => this.#answerBadBytes(error, socket));
    // The server never listens itself, and it checks for late heads only after this event.
    this.#server.emit('listening');
    // The server answers a late head with 408 first.
    this.#sweep = setInterval(() => this.#closeLate(limits.clientHeadMs + 2 * checkMs), checkMs).unref();
  }

  get connections(): number {
    return this.#clients.size;
  }

  get closing(): boolean {
    return this.#draining;
  }

  take(connection: ClientConnection): void {
    const { socket } = connection;
    if (this.#closing) return void socket.destroy();
    socket.on('close', () => {
      this.#clients.delete(socket);
      connection.onClosed?.();
      if (this.#clients.size === 0) this.#onEmpty();
    });
    this.#server.emit('connection', socket);
    this.#clients.set(socket, new ClientSocket(connection, () => this.#refuseEmptyLines(socket)));
  }

  of(socket: Socket): Pick<ClientConnection, 'clientAddress' | 'secure' | 'trusted'> {
    return this.#clients.get(socket)?.connection ?? closedConnection;
  }

  drainConnections(): void {
    this.#draining = true;
  }

  async close(graceMs: number, keepIdle = false): Promise<void> {
    this.#draining = true;
    if (!keepIdle) this.#closeIdle();
    const timer = setTimeout(() => {
      for (const socket of this.#clients.keys()) socket.destroy();
    }, graceMs);
    if (this.#clients.size > 0) await new Promise<void>(resolve => (this.#onEmpty = resolve));
    clearTimeout(timer);
    this.#closeIdle();
    clearInterval(this.#sweep);
    this.#agents.close();
  }

  #closeIdle(): void {
    this.#closing = true;
    // Closes idle connections; the error "not listening" is expected. Connections that wait for a head are closed next.
    this.#server.close(() => {});
    for (const [socket, client] of this.#clients) if (client.isIdle) socket.destroy();
  }

  forward({ request, response, upload, url, connection, onError }: Parameters<Wiring['forward']>[0]): void {
    const options = { target: targetOf(url), agent: this.#agents.for(url)[connection], buffer: upload };
    this.#proxy.web(request, response, options, onError);
  }

  #take(request: IncomingMessage, response: ServerResponse, headFlaw: RequestFlaw | undefined, tunnel?: Tunnel): void {
    // This request arrived in one packet with a refused one. It is unknown where that one ends and this one begins.
    if (request.socket.writableEnded) return;
    const { socket } = request;
    const client = this.#clients.get(socket);
    client?.begin();
    if (tunnel === undefined) response.on('close', () => client?.finish());
    const to = parseDestination(request);
    const flaw = headFlaw ?? (to === undefined ? badTarget : undefined);
    const exchange = new HttpExchange(this, request, response, to ?? nowhere, tunnel);
    // `closeIdleConnections` ran only once, at `close`. A connection that becomes idle later is closed here.
    response.on('close', () => this.#closing && setImmediate(() => this.#server.closeIdleConnections()));
    this.#exchanges.set(response, exchange);
    if (flaw !== undefined) {
      this.report(flaw, request, false);
      exchange.refuse(flaw.status, flaw.reason, badRequest);
    } else if (response.socket !== null) this.#onExchange(exchange);
    // A pipelined request is served after the answer before it. The two must not run in parallel (RFC 9112 §9.3.2). If
    // the client leaves, a request that never began needs no clean-up.
    else response.once('socket', () => this.#onExchange(exchange));
  }

  report(flaw: RequestFlaw, request: Pick<IncomingMessage, 'method' | 'url' | 'socket'>, inExchange: boolean): void {
    const { status, cause, reason: text } = flaw;
    const { clientAddress, secure } = this.of(request.socket);
    const { method, url: path } = request;
    this.#onEngineAnswer?.({ status, cause, text, clientAddress, secure, method, path, inExchange });
  }

  /** Reports the answer to bytes that never became a request, or that break a body. */
  #answerBadBytes(error: Error, socket: Duplex): void {
    const before = responseOn(socket);
    const flaw = answerBadHead(error, socket);
    if (flaw === undefined || !(socket instanceof Socket)) return;
    if (before !== undefined) this.#exchanges.get(before)?.bodyRefused(flaw);
    this.report(flaw, before?.req ?? { method: undefined, url: undefined, socket }, before !== undefined);
  }

  #refuseEmptyLines(socket: Socket): void {
    this.report(refuse(socket, tooManyEmptyLines, 'not-sent'), { method: undefined, url: undefined, socket }, false);
  }

  #closeLate(headMs: number): void {
    const nowMs = performance.now();
    for (const [socket, client] of this.#clients) if (client.isLate(nowMs, headMs)) socket.destroy();
  }

  /** Handles an upgrade. Node's server has released the connection, so a response of our own answers on it. */
  #takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, refused?: RequestFlaw): void {
    if (!(socket instanceof Socket)) return void socket.destroy();
    this.#clients.get(socket)?.release();
    socket.on('error', () => socket.destroy());
    // It is pipelined behind an unanswered request: that answer and the tunnel would share the connection.
    if (responseOn(socket) !== undefined) return void socket.destroy();
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on('finish', () => socket.destroySoon());
    // Other protocols are declined by not forwarding the offer (RFC 9110 §7.8): `h2c` would bypass the proxy.
    const websocket = request.headers.upgrade?.toLowerCase() === 'websocket';
    const flaw = refused ?? findFlaw(request, this.limits) ?? (hasBody(request) ? bodyOnUpgrade : undefined);
    this.#take(request, response, flaw, websocket ? new Tunnel(socket, head, this.limits.idleBodyMs) : undefined);
  }
}

const targets = new WeakMap<URL, { protocol: string; host: string; port: number }>();

function targetOf(url: URL): { protocol: string; host: string; port: number } {
  const known = targets.get(url);
  if (known !== undefined) return known;
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const target = { protocol: url.protocol, host: hostOf(url), port };
  targets.set(url, target);
  return target;
}

const malformedBody = buildFlaw('body-malformed', malformed.reason);
/** By the codes of Node's errors. */
const flawsByCode: Readonly<Record<string, RequestFlaw>> = {
  HPE_HEADER_OVERFLOW: longHead,
  ERR_HTTP_REQUEST_TIMEOUT: lateHead,
};

/**
 * Answers bytes that never became a request, and closes: the next request's beginning is unknown. Returns the answer;
 * undefined: there is none.
 */
function answerBadHead(error: Error, socket: Duplex): RequestFlaw | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const before = responseOn(socket);
  // After a reset no answer can be sent.
  if (code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else if (before?.req.complete) endAfter(before, socket);
  // A second head must not be written into the middle of an answer.
  else if (before?.headersSent) socket.destroy();
  // The body is malformed, and the request may have been forwarded in part.
  else if (before !== undefined) return refuse(socket, malformedBody, 'unknown');
  else return refuse(socket, isInTarget(code, error) ? longTarget : (flawsByCode[code] ?? malformed), 'not-sent');
  return undefined;
}

/** Returns the response that is being written on a connection; Node keeps it on the socket. */
function responseOn(socket: Duplex): ServerResponse | undefined {
  return '_httpMessage' in socket && socket._httpMessage instanceof ServerResponse ? socket._httpMessage : undefined;
}

/** Closes after the answer to the previous, complete request; the bytes after it are malformed. */
function endAfter(response: ServerResponse, socket: Duplex): void {
  if (!response.headersSent) response.shouldKeepAlive = false;
  // Each further packet would raise another error.
  socket.pause();
  response.once('finish', () => socket.end(() => socket.destroy()));
}

function refuse(socket: Duplex, flaw: RequestFlaw, outcome: 'not-sent' | 'unknown'): RequestFlaw {
  const { status, reason } = flaw;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${reason.length + 1}`,
    `proxy-status: holdfast; error=http_request_error; outcome=${outcome}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${reason}\n`, () => socket.destroy());
  return flaw;
}

/** Whether the head is too long and its first line alone takes half of it. */
function isInTarget(code: string, error: Error): boolean {
  if (code !== 'HPE_HEADER_OVERFLOW' || !('rawPacket' in error) || !(error.rawPacket instanceof Buffer)) return false;
  return /^[A-Z]+ [^\r\n]{8192}/.test(error.rawPacket.toString('latin1'));
}
