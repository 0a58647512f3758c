import { createServer, type Server, type Socket } from 'node:net';
import { normalizeAddress } from '../../shared/client-address.js';
import type { ClientConnection } from '../exchange.js';
import { type IsTrusted, trustNone } from '../headers/trusted-peers.js';
import { ConnectionCounts } from '../limits/address-limits.js';
import { type BoundAddress, listenOn, type OpenSocket } from '../sockets/listen.js';
import { ownDescriptorPlan } from './open-files.js';
import { readProxyHeader } from './proxy-header.js';
import { TlsListener, type TlsPairs } from './tls-listener.js';

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
