import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Connection } from './exchange.js';

/** A flood of connections must not take the proxy's memory: what comes above this is closed at once. */
const connectionsMax = 65_536;

/**
 * The front door: listens, accepts, and hands each connection on with what is known of its client. Engines see the
 * same connections whatever they came through.
 */
export class Front {
  readonly #server: Server;

  constructor(onConnection: (connection: Connection) => void) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => onConnection(facts(socket)));
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
}

/** A dual-stack socket writes an IPv4 peer as an IPv6 address. */
function facts(socket: Socket): Connection {
  return { socket, clientAddress: (socket.remoteAddress ?? '').replace(/^::ffff:/, ''), secure: false };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError(`listening on ${address}, not on a port`);
  return address.port;
}
