import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { ClientConnection } from '../exchange.js';
import { type IsTrusted, nobodyTrusted, plainAddress } from '../headers/trusted-peers.js';
import { readProxyHeader } from './proxy-header.js';
import { TlsListener } from './tls-listener.js';
import type { TlsPair } from './tls-pair.js';

/** A flood of connections must not take the proxy's memory: what comes above this is closed at once. */
const connectionsMax = 65_536;
/** As long as a head may take. */
const proxyHeaderMs = 10_000;
const tlsHandshakeMs = 10_000;

/** Why a connection was closed before it was anybody's. Port checks, which say nothing, are not among these. */
export type TurnedAway =
  /** It must begin with a PROXY header, and its peer is not on the trust list. */
  | 'proxy-untrusted'
  /** What it began with is no PROXY header, or the header did not end. */
  | 'proxy-header'
  | 'proxy-header-late'
  | 'tls-handshake'
  | 'tls-handshake-late';

export interface FrontSettings {
  /** Whose word on its own client is believed; nobody's unless given. */
  readonly isTrusted?: IsTrusted;
  /** TLS, and nothing else, is spoken on the port. */
  readonly tls?: TlsPair | undefined;
  /** Every connection begins with a PROXY header, and comes from a trusted peer. */
  readonly proxyProtocol?: boolean;
  /** How long the PROXY header may take. */
  readonly proxyHeaderMs?: number;
  readonly tlsHandshakeMs?: number;
  readonly onTurnedAway?: (reason: TurnedAway) => void;
}

/**
 * The front door: listens, accepts, and hands each connection on with what is known of its client. Engines see the
 * same connections whatever they came through.
 *
 *   accepted -> PROXY header, if there must be one -> TLS handshake, if TLS is spoken -> the engine's
 */
export class Frontend {
  readonly #server: Server;
  readonly #onConnection: (connection: ClientConnection) => void;
  readonly #settings: FrontSettings;
  readonly #isTrusted: IsTrusted;
  readonly #door: TlsListener | undefined;
  /** Not the engine's yet. */
  readonly #underWay = new Set<Socket>();

  /** Throws what OpenSSL says of a TLS pair that it cannot use; `readTlsPair` says it in words. */
  constructor(onConnection: (connection: ClientConnection) => void, settings: FrontSettings = {}) {
    this.#onConnection = onConnection;
    this.#settings = settings;
    this.#isTrusted = settings.isTrusted ?? nobodyTrusted;
    this.#door = settings.tls && new TlsListener(settings.tls);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket));
    this.#server.maxConnections = connectionsMax;
  }

  /** Resolves when the port is bound; rejects with the system's error (`EADDRINUSE`, `EACCES`). */
  listen(host: string, port: number): Promise<{ readonly port: number }> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host, backlog: 4096 }, () => {
        this.#server.removeListener('error', reject);
        resolve({ port: portOf(this.#server.address()) });
      });
    });
  }

  /** For new connections; those that are open keep what they have. Throws as the constructor does, and keeps the old. */
  reloadTls(pair: TlsPair): void {
    if (this.#door === undefined)
      throw new TypeError('this port speaks no TLS; that cannot be changed while it is open');
    this.#door.reload(pair);
  }

  /** Accepts nothing more; the connections that were handed on are the engine's, those under way to it are closed. */
  close(): void {
    this.#server.close();
    for (const socket of this.#underWay) socket.destroy();
  }

  #accept(socket: Socket): void {
    const peer = plainAddress(socket.remoteAddress ?? '');
    if (this.#settings.proxyProtocol !== true) return void this.#enter(socket, peer);
    if (!this.#isTrusted(peer)) return void this.#turnAway(socket, 'proxy-untrusted');
    this.#hold(socket);
    readProxyHeader(socket, this.#settings.proxyHeaderMs ?? proxyHeaderMs, ({ kind, clientAddress = peer }) => {
      if (kind === 'whole') this.#enter(socket, clientAddress);
      else if (kind === 'gone') socket.destroy();
      else this.#turnAway(socket, kind === 'late' ? 'proxy-header-late' : 'proxy-header');
    });
  }

  #enter(raw: Socket, clientAddress: string): void {
    if (this.#door === undefined) return void this.#handOn(raw, raw, clientAddress);
    this.#hold(raw);
    this.#door.take(raw, this.#settings.tlsHandshakeMs ?? tlsHandshakeMs, ({ kind, socket }) => {
      if (kind === 'secure') this.#handOn(raw, socket, clientAddress);
      else if (kind !== 'gone') this.#turnAway(raw, kind === 'late' ? 'tls-handshake-late' : 'tls-handshake');
    });
  }

  /** Whom to trust is settled once per connection, not per request. */
  #handOn(raw: Socket, socket: Socket, clientAddress: string): void {
    this.#underWay.delete(raw);
    this.#onConnection({ socket, clientAddress, secure: socket !== raw, trusted: this.#isTrusted(clientAddress) });
  }

  #hold(socket: Socket): void {
    if (this.#underWay.has(socket)) return;
    this.#underWay.add(socket);
    // It closes by itself then; whoever comes later listens for it too.
    socket.on('error', () => {});
    socket.once('close', () => this.#underWay.delete(socket));
  }

  #turnAway(socket: Socket, reason: TurnedAway): void {
    socket.destroy();
    this.#settings.onTurnedAway?.(reason);
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError(`listening on ${address}, not on a port`);
  return address.port;
}
