import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Connection } from './exchange.js';
import { type IsTrusted, nobodyTrusted } from './trusted-peers.js';

/** A flood of connections must not take the proxy's memory: what comes above this is closed at once. */
const connectionsMax = 65_536;

export interface FrontSettings {
  /** Whose word on its own client is believed; nobody's unless given. */
  readonly isTrusted?: IsTrusted;
}

/**
 * The front door: listens, accepts, and hands each connection on with what is known of its client. Engines see the
 * same connections whatever they came through.
 */
export class Front {
  readonly #server: Server;
  readonly #isTrusted: IsTrusted;

  constructor(onConnection: (connection: Connection) => void, { isTrusted = nobodyTrusted }: FrontSettings = {}) {
    this.#isTrusted = isTrusted;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => onConnection(this.#facts(socket)));
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

  /** Accepts nothing more; the connections that were accepted are the engine's. */
  close(): void {
    this.#server.close();
  }

  /** Whom to trust is settled once per connection, not per request. */
  #facts(socket: Socket): Connection {
    const clientAddress = addressOf(socket);
    return { socket, clientAddress, secure: false, trusted: this.#isTrusted(clientAddress) };
  }
}

/** A dual-stack socket writes an IPv4 peer as an IPv6 address. */
function addressOf({ remoteAddress = '' }: Socket): string {
  return remoteAddress.startsWith('::ffff:') ? remoteAddress.slice(7) : remoteAddress;
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError(`listening on ${address}, not on a port`);
  return address.port;
}
