import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { hostOf } from '../backend-tls.js';
import type { ClientConnection, Engine, EngineFactory, EngineLimits, EngineParts, Exchange } from '../exchange.js';
import { BackendAgents } from './http-proxy/backend-agent.js';
import { HttpExchange, type Wiring } from './http-proxy/http-exchange.js';
import { destination, flawIn, hasBody, type RequestFlaw } from './http-proxy/request-head.js';
import { Tunnel } from './http-proxy/tunnel.js';

const nowhere = { target: '/', host: undefined };
const badTarget: RequestFlaw = { status: 400, reason: 'The request target is none that is served here.' };
/** Node reads no body behind an upgrade: what follows the head would be neither body nor tunnel. */
const bodyOnUpgrade: RequestFlaw = { status: 400, reason: 'A request for an upgrade has no body here.' };
/** Of a connection that is gone. */
const nobody = { clientAddress: '', secure: false, trusted: false };
const noTunnels: RequestFlaw = { status: 501, reason: 'This method is not known here.' };
/** RFC 9110 §10.1.1 */
const badExpectation: RequestFlaw = { status: 417, reason: 'The only expectation that is understood is 100-continue.' };
const badRequest = { connection: 'close', 'proxy-status': 'holdfast; error=http_request_error; outcome=not-sent' };
/** How long an idle connection of a client is kept: longer than browsers and load balancers keep theirs. */
const clientIdleMs = 75_000;

export const httpProxyEngine: EngineFactory = parts => new HttpProxyEngine(parts);

/**
 * Node's HTTP server in front, http-proxy's `web` behind. Of http-proxy only the way out is used: it makes the request
 * to the backend. The way back is our own, because an outcome must be exact and the library's defaults are not: it
 * answers nothing on an error, aborts on a timeout without saying so, and writes a head before anybody can add to it.
 * Upgrades take the same way: its `ws` ends the client's connection when an attempt is refused, so that there is nobody
 * left to try the next backend for, and it forwards a refusal of the upgrade with its framing broken.
 */
class HttpProxyEngine implements Engine, Wiring {
  readonly limits: EngineLimits;
  readonly forwarded: boolean;
  readonly #onExchange: (exchange: Exchange) => void;
  readonly #agents: BackendAgents;
  readonly #proxy = httpProxy.createProxyServer({ selfHandleResponse: true, ignorePath: true, toProxy: true });
  readonly #server: Server;
  readonly #connections = new Map<Socket, ClientConnection>();
  /** Of each connection, the requests that came less the answers that are over. A tunnel is never over before it. */
  readonly #underWay = new WeakMap<Socket, number>();
  #closing = false;
  #onEmpty = (): void => {};

  constructor({ onExchange, limits, backendTls, forwarded }: EngineParts) {
    this.limits = limits;
    this.forwarded = forwarded;
    this.#onExchange = onExchange;
    this.#agents = new BackendAgents(limits.connectMs, backendTls);
    this.#server = createServer({
      headersTimeout: limits.clientHeadMs,
      // A long upload is no offence; one that stalls is, and the exchange watches for that.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1000, limits.clientHeadMs / 4),
      keepAliveTimeout: clientIdleMs,
      maxHeaderSize: limits.headerBytesMax,
      insecureHTTPParser: false,
      requireHostHeader: true,
    });
    const fieldsMax = limits.headerFieldsMax;
    this.#server.maxHeadersCount = 0;
    this.#server.on('request', (request, response) => this.#take(request, response, flawIn(request, fieldsMax)));
    this.#server.on('upgrade', (request, socket, head) => this.#takeUpgrade(request, socket, head));
    // A gateway is no way to anywhere else; Node would close without a word.
    this.#server.on('connect', (request, socket, head) => this.#takeUpgrade(request, socket, head, noTunnels));
    this.#server.on('checkExpectation', (request, response) => this.#take(request, response, badExpectation));
    this.#server.on('clientError', answerBadHead);
    // It never listens itself, and only then begins to look for heads that do not arrive.
    this.#server.emit('listening');
  }

  get connections(): number {
    return this.#connections.size;
  }

  get closing(): boolean {
    return this.#closing;
  }

  take(connection: ClientConnection): void {
    const { socket } = connection;
    if (this.#closing) return void socket.destroy();
    this.#connections.set(socket, connection);
    socket.on('close', () => {
      this.#connections.delete(socket);
      if (this.#connections.size === 0) this.#onEmpty();
    });
    this.#server.emit('connection', socket);
  }

  of(socket: Socket): Pick<ClientConnection, 'clientAddress' | 'secure' | 'trusted'> {
    return this.#connections.get(socket) ?? nobody;
  }

  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    // Closes what is idle; that it does not listen is no news. Whom it waits for, since a head may still arrive, is idle too.
    this.#server.close(() => {});
    for (const socket of this.#connections.keys()) if (!this.#underWay.get(socket)) socket.destroy();
    const timer = setTimeout(() => {
      for (const socket of this.#connections.keys()) socket.destroy();
    }, graceMs);
    if (this.#connections.size > 0) await new Promise<void>(resolve => (this.#onEmpty = resolve));
    clearTimeout(timer);
    this.#agents.close();
  }

  forward({ request, response, upload, url, connection, onError }: Parameters<Wiring['forward']>[0]): void {
    const options = { target: targetOf(url), agent: this.#agents.for(url)[connection], buffer: upload };
    this.#proxy.web(request, response, options, onError);
  }

  #take(request: IncomingMessage, response: ServerResponse, headFlaw: RequestFlaw | undefined, tunnel?: Tunnel): void {
    // It came in one packet with one that was refused: where it begins is the client's word alone.
    if (request.socket.writableEnded) return;
    const { socket } = request;
    this.#count(socket, 1);
    if (tunnel === undefined) response.on('close', () => this.#count(socket, -1));
    const to = destination(request);
    const flaw = headFlaw ?? (to === undefined ? badTarget : undefined);
    const exchange = new HttpExchange(this, request, response, to ?? nowhere, tunnel);
    // A connection that becomes idle after `close` has looked for idle ones would stay until the grace is over.
    response.on('close', () => this.#closing && setImmediate(() => this.#server.closeIdleConnections()));
    if (flaw !== undefined) exchange.refuse(flaw.status, flaw.reason, badRequest);
    else if (response.socket !== null) this.#onExchange(exchange);
    // Pipelined: it is served when the one before it is answered. The two must not be carried out side by side
    // (RFC 9112 §9.3.2), and when the client leaves, what was never begun needs no end.
    else response.once('socket', () => this.#onExchange(exchange));
  }

  #count(socket: Socket, more: number): void {
    this.#underWay.set(socket, (this.#underWay.get(socket) ?? 0) + more);
  }

  /** Node's server lets go of the connection: a response of our own answers on it, whether the backend agrees or not. */
  #takeUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, refused?: RequestFlaw): void {
    if (!(socket instanceof Socket)) return void socket.destroy();
    socket.on('error', () => socket.destroy());
    // Pipelined behind a request that is not answered yet: its answer and the tunnel would share the connection.
    if (responseOn(socket) !== undefined) return void socket.destroy();
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on('finish', () => socket.destroySoon());
    // Any other protocol is declined by not passing the offer on (RFC 9110 §7.8): `h2c` would be a way around the proxy.
    const websocket = request.headers.upgrade?.toLowerCase() === 'websocket';
    const flaw =
      refused ?? flawIn(request, this.limits.headerFieldsMax) ?? (hasBody(request) ? bodyOnUpgrade : undefined);
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

const answers: Record<string, { readonly line: string; readonly reason: string }> = {
  HPE_HEADER_OVERFLOW: { line: '431 Request Header Fields Too Large', reason: 'The request head is too long.' },
  ERR_HTTP_REQUEST_TIMEOUT: { line: '408 Request Timeout', reason: 'The request head did not arrive in time.' },
};
const targetTooLong = { line: '414 URI Too Long', reason: 'The request target is too long.' };
const malformed = { line: '400 Bad Request', reason: 'This is not well-formed HTTP/1.1.' };

/** Answers what never became a request, and closes: where the next request would begin is anybody's guess. */
function answerBadHead(error: Error, socket: Duplex): void {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const before = responseOn(socket);
  // A reset has nobody to answer to.
  if (code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else if (before?.req.complete) endWith(before, socket);
  // A second head must not be written into the middle of an answer.
  else if (before?.headersSent) socket.destroy();
  // What is malformed is the body of a request that may have been passed on in part.
  else if (before !== undefined) refuse(socket, malformed, 'unknown');
  else refuse(socket, isInTarget(code, error) ? targetTooLong : (answers[code] ?? malformed), 'not-sent');
}

/** The response that is being written on a connection: Node keeps it beside the socket. */
function responseOn(socket: Duplex): ServerResponse | undefined {
  return '_httpMessage' in socket && socket._httpMessage instanceof ServerResponse ? socket._httpMessage : undefined;
}

/** What is malformed comes behind a request that is whole: that one gets its answer, and it is the last. */
function endWith(response: ServerResponse, socket: Duplex): void {
  if (!response.headersSent) response.shouldKeepAlive = false;
  // Each further packet would be another error.
  socket.pause();
  response.once('finish', () => socket.end(() => socket.destroy()));
}

function refuse(socket: Duplex, { line, reason }: typeof malformed, outcome: 'not-sent' | 'unknown'): void {
  const head = [
    `HTTP/1.1 ${line}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${reason.length + 1}`,
    `proxy-status: holdfast; error=http_request_error; outcome=${outcome}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${reason}\n`, () => socket.destroy());
}

/** The head became too long, and its first line alone made half of it. */
function isInTarget(code: string, error: Error): boolean {
  if (code !== 'HPE_HEADER_OVERFLOW' || !('rawPacket' in error) || !(error.rawPacket instanceof Buffer)) return false;
  return /^[A-Z]+ [^\r\n]{8192}/.test(error.rawPacket.toString('latin1'));
}
