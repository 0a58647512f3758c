import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Link } from './cluster.js';
import { freePort } from './free-port.js';

/**
 * A TCP link from one member to another, in this process:
 *
 *     from --connects--> port  [ this link ]  --connects--> toPort  of the other end
 *
 * One for each directed pair, put in place only where a scenario asks for it.
 */
export class TcpLink implements Link {
  readonly name: string;
  readonly port: number;
  #toPort: number;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  static async listen(name: string, toPort: number): Promise<TcpLink> {
    const link = new TcpLink(name, await freePort(), toPort);
    link.#server.listen({ host: '127.0.0.1', port: link.port });
    await once(link.#server, 'listening');
    return link;
  }

  private constructor(name: string, port: number, toPort: number) {
    this.name = name;
    this.port = port;
    this.#toPort = toPort;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, near => this.#join(near));
  }

  retarget(port: number): void {
    this.#toPort = port;
    for (const socket of this.#open) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #join(near: Socket): void {
    const far = connect({ host: '127.0.0.1', port: this.#toPort, allowHalfOpen: true, noDelay: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#open.add(socket);
      socket.on('error', () => other.resetAndDestroy());
      socket.on('close', () => {
        this.#open.delete(socket);
        other.destroySoon();
      });
      socket.pipe(other);
    }
  }
}
