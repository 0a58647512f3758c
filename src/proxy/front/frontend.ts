import { constants } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket, type TLSSocketOptions } from 'node:tls';
import { normalizeAddress } from '../../shared/addresses.js';
import type { ClientConnection } from '../exchange.js';
import { type IsTrusted, trustNone } from '../headers.js';
import { HostMap } from '../hosts.js';
import { ConnectionCounts, ownDescriptorPlan } from '../limits.js';
import { type BoundAddress, listenOn, type OpenSocket } from '../sockets.js';
import { readProxyHeader } from './proxy-header.js';
import type { TlsPair } from './tls-pair.js';

/** The same limit as for a request head. */
const proxyHeaderMs = 10_000;
const tlsHandshakeMs = 10_000;

/** The details of a connection that depend on how it was accepted. */
type ConnectionDetails = Pick<ClientConnection, 'protocol' | 'onClosed'>;

/** Why a connection was closed before it was handed on. Port checks are not counted. */
export type TurnedAway =
  /** The limit of open files, or of memory, allows no further connection. */
  | 'limit'
  /** The client's address has too many open connections. */
  | 'address-limit'
  /** A PROXY header is required, and the peer is not on the trust list. */
  | 'proxy-untrusted'
  /** The connection does not begin with a valid PROXY header, or the header is incomplete. */
  | 'proxy-header'
  | 'proxy-header-late'
  | 'tls-handshake'
  | 'tls-handshake-late';

export interface FrontSettings {
  /** Which peers' statements about their clients are believed; the default is none. */
  readonly isTrusted?: IsTrusted;
  /** The port speaks only TLS. */
  readonly tls?: TlsPairs | undefined;
  /** TLS clients may choose HTTP/2. */
  readonly http2?: boolean;
  /** Every connection begins with a PROXY header and comes from a trusted peer. */
  readonly proxyProtocol?: boolean;
  /** The time limit for the PROXY header. */
  readonly proxyHeaderMs?: number;
  readonly tlsHandshakeMs?: number;
  /** The number of connections that were handed on and are still open. */
  readonly countOpen?: () => number;
  /** Any more connections are closed at once; default: what the descriptors of this process allow. */
  readonly connectionsMax?: number;
  /** The open connections of one client address that is not trusted; 0: no limit. */
  readonly connectionsPerAddressMax?: () => number;
  readonly onTurnedAway?: (reason: TurnedAway) => void;
}

/**
 * Listens, accepts, and hands on each connection with what is known about its client. Engines see the same kind of
 * connection, whatever it came through.
 *
 *   accepted -> PROXY header, if required -> TLS handshake, if TLS is spoken -> the engine's
 */
export class Frontend {
  readonly #server: Server;
  readonly #onConnection: (connection: ClientConnection) => void;
  readonly #settings: FrontSettings;
  readonly #isTrusted: IsTrusted;
  readonly #tlsListener: TlsListener | undefined;
  readonly #connectionsMax: number;
  readonly #perAddress = new ConnectionCounts();
  /** Connections that were not handed on yet. */
  readonly #pending = new Set<Socket>();
  #onSettled = (): void => {};

  /** Throws OpenSSL's error for an unusable TLS pair; `readTlsPair` explains it in words. */
  constructor(onConnection: (connection: ClientConnection) => void, settings: FrontSettings = {}) {
    this.#onConnection = onConnection;
    this.#settings = settings;
    this.#isTrusted = settings.isTrusted ?? trustNone;
    this.#tlsListener = settings.tls && new TlsListener(settings.tls, settings.http2);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket));
    // Not `server.maxConnections`: a worker gets connections that another process has accepted.
    this.#connectionsMax = settings.connectionsMax ?? ownDescriptorPlan().clients;
  }

  /** The server to hand over to a successor. */
  get server(): Server {
    return this.#server;
  }

  /** See `listenOn`. */
  listen(host: string, port: number, open?: OpenSocket): Promise<BoundAddress> {
    return listenOn(this.#server, { host, port }, open);
  }

  /** Takes a connection that another process accepted. */
  take(socket: Socket): void {
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    this.#accept(socket);
  }

  /** Applies to new connections only. Throws as the constructor does, and then keeps the old pair. */
  reloadTls(pairs: TlsPairs): void {
    if (this.#tlsListener === undefined)
      throw new TypeError('this port speaks no TLS; that cannot be changed while it is open');
    this.#tlsListener.reload(pairs);
  }

  /** Stops accepting. Resolves when each accepted connection was handed on or closed, at most `withinMs` later. */
  async stopAccepting(withinMs: number): Promise<void> {
    this.#server.close();
    if (this.#pending.size === 0) return;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, withinMs);
      this.#onSettled = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Stops accepting. Closes the connections that were not handed on; the others belong to the engine. */
  close(): void {
    this.#server.close();
    for (const socket of this.#pending) socket.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#isFull()) return void this.#turnAway(socket, 'limit');
    const peer = normalizeAddress(socket.remoteAddress ?? '');
    if (this.#settings.proxyProtocol !== true) return void this.#enter(socket, peer);
    if (!this.#isTrusted(peer)) return void this.#turnAway(socket, 'proxy-untrusted');
    this.#hold(socket);
    readProxyHeader(socket, this.#settings.proxyHeaderMs ?? proxyHeaderMs, ({ kind, clientAddress = peer }) => {
      if (kind === 'whole') this.#enter(socket, clientAddress);
      else if (kind === 'gone') socket.destroy();
      else this.#turnAway(socket, kind === 'late' ? 'proxy-header-late' : 'proxy-header');
    });
  }

  #isFull(): boolean {
    return this.#pending.size + (this.#settings.countOpen?.() ?? 0) >= this.#connectionsMax;
  }

  #enter(raw: Socket, clientAddress: string): void {
    const max = this.#settings.connectionsPerAddressMax?.() ?? 0;
    const isLimited = max > 0 && !this.#isTrusted(clientAddress);
    const onClosed = isLimited ? this.#perAddress.open(clientAddress, max) : undefined;
    if (isLimited && onClosed === undefined) return void this.#turnAway(raw, 'address-limit');
    if (this.#tlsListener === undefined) return void this.#handOn(raw, raw, clientAddress, { onClosed });
    // An engine may move a plain connection to another socket; TLS stays on this one.
    if (onClosed !== undefined) raw.once('close', onClosed);
    this.#hold(raw);
    this.#tlsListener.take(raw, this.#settings.tlsHandshakeMs ?? tlsHandshakeMs, ({ kind, socket }) => {
      if (kind === 'secure')
        this.#handOn(raw, socket, clientAddress, { protocol: socket.alpnProtocol === 'h2' ? 'h2' : undefined });
      else if (kind !== 'gone') this.#turnAway(raw, kind === 'late' ? 'tls-handshake-late' : 'tls-handshake');
    });
  }

  /** Hands the connection to the engine. Trust is decided once per connection, not per request. */
  #handOn(raw: Socket, socket: Socket, clientAddress: string, { protocol, onClosed }: ConnectionDetails = {}): void {
    const trusted = this.#isTrusted(clientAddress);
    this.#settle(raw);
    this.#onConnection({ socket, clientAddress, secure: socket !== raw, trusted, protocol, onClosed });
  }

  #hold(socket: Socket): void {
    if (this.#pending.has(socket)) return;
    this.#pending.add(socket);
    // The socket closes by itself after an error; later owners add their own listener.
    socket.on('error', () => {});
    socket.once('close', () => this.#settle(socket));
  }

  #settle(socket: Socket): void {
    if (this.#pending.delete(socket) && this.#pending.size === 0) this.#onSettled();
  }

  #turnAway(socket: Socket, reason: TurnedAway): void {
    socket.destroy();
    this.#settings.onTurnedAway?.(reason);
  }
}

/** Mozilla's "intermediate" list: only forward secrecy with authenticated encryption. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** `curl --http1.0` offers only the second. */
const protocols = ['http/1.1', 'http/1.0'];
/** In order of preference. */
const protocolsWithHttp2 = ['h2', ...protocols];

/** The certificates of one port. */
export interface TlsPairs {
  /** The certificate for clients that name no host (SNI), or a host without its own certificate. */
  readonly fallback: TlsPair;
  /** By host or pattern of hosts; see `HostMap`. */
  readonly byHost: ReadonlyMap<string, TlsPair>;
}

/** `gone`: closed before a byte came, as port checks do. */
type Handshake =
  | { readonly kind: 'secure'; readonly socket: TLSSocket }
  | { readonly kind: 'failed' | 'late' | 'gone'; readonly socket?: undefined };

/** Turns accepted connections into TLS connections. Handshakes run in parallel: no slow client blocks another. */
class TlsListener {
  #contexts: Contexts;
  readonly #protocols: string[];

  /** Throws OpenSSL's error for an unusable pair. `http2`: clients may choose HTTP/2. */
  constructor(pairs: TlsPairs, http2 = false) {
    this.#contexts = makeContexts(pairs);
    this.#protocols = http2 ? protocolsWithHttp2 : protocols;
  }

  /**
   * Applies to new connections, resumed sessions too: tickets of the old context are rejected. Throws as the
   * constructor does.
   */
  reload(pairs: TlsPairs): void {
    this.#contexts = makeContexts(pairs);
  }

  /** Calls `done` once. After a failed handshake the connection is already closed. A `late` one is still open. */
  take(raw: Socket, withinMs: number, done: (handshake: Handshake) => void): void {
    const before = raw.bytesRead - raw.readableLength;
    const socket = new SecureSocket(raw, { isServer: true, ...this.#contexts, ALPNProtocols: this.#protocols });
    const finish = (handshake: Handshake): void => {
      clearTimeout(timer);
      socket.removeListener('secure', onSecure).removeListener('close', onClose).removeListener('end', onEnd);
      done(handshake);
    };
    const onSecure = (): void => {
      // `tls.Server` does this for its own sockets. HTTP/2 of Node does not begin before.
      if (socket.alpnProtocol === 'h2') Reflect.set(socket, 'secureConnecting', false);
      finish({ kind: 'secure', socket });
    };
    const onClose = (): void => finish({ kind: raw.bytesRead === before ? 'gone' : 'failed' });
    // A half-closed connection cannot finish its handshake.
    const onEnd = (): void => void socket.destroy();
    const timer = setTimeout(() => finish({ kind: 'late' }), withinMs);
    // The socket closes by itself after an error, and `onClose` counts it. The next owner handles later errors.
    socket.on('error', () => {});
    socket.on('secure', onSecure).on('close', onClose).on('end', onEnd);
  }
}

/**
 * A TLS socket whose reset reaches the plain socket below; Node resets only plain sockets. A client that reads to the
 * end must see that its connection was cut. Many clients accept a TLS connection that ended without a close_notify (RFC
 * 9112 §9.8).
 */
class SecureSocket extends TLSSocket {
  readonly #raw: Socket;

  constructor(raw: Socket, options: TLSSocketOptions) {
    super(raw, options);
    this.#raw = raw;
  }

  override resetAndDestroy(): this {
    this.#raw.resetAndDestroy();
    return this;
  }
}

type Contexts = Pick<TLSSocketOptions, 'secureContext' | 'SNICallback'>;

/** With one certificate the name that the client gives is not looked at. */
function makeContexts({ fallback, byHost }: TlsPairs): Contexts {
  const secureContext = makeContext(fallback);
  if (byHost.size === 0) return { secureContext };
  const contexts = new HostMap(
    new Map([...byHost].map(([host, pair]) => [host, makeContext(pair)] as const)),
    secureContext,
  );
  return { secureContext, SNICallback: (name, done) => done(null, contexts.find(name)) };
}

function makeContext({ cert, key, ticketKeys }: TlsPair): SecureContext {
  return createSecureContext({
    cert,
    key,
    ticketKeys,
    ciphers,
    minVersion: 'TLSv1.2',
    sessionIdContext: 'holdfast',
    // AES-128 comes first: it costs least with AES instructions. Clients without them put ChaCha20 first.
    honorCipherOrder: true,
    // A renegotiation costs the server ten times what it costs the client, and has no use (RFC 9325 §3.5 advises off).
    secureOptions: constants.SSL_OP_PRIORITIZE_CHACHA | constants.SSL_OP_NO_RENEGOTIATION,
  });
}
