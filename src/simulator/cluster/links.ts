import { once } from 'node:events';
import { connect, createServer, type Server, Socket } from 'node:net';
import type { Link, Traffic } from './cluster.js';
import { type LinkDirection, Pipe, type Toxic } from './link-pipe.js';
import { onFreePort } from './processes/free-port.js';

/** Further connections are reset by the kernel. */
const connectionsMax = 10_000;
/** Delay of a reset after the last bytes. A client that gets both at once sees an orderly end instead (libuv does). */
const resetAfterMs = 5;

/**
 * A TCP relay from one member to another. It runs in this process. There is one for each directed pair, and only where
 * a scenario asks for it:
 *
 *     from --connects--> port [ near ==== forward: hold, cut? =========> far ] --connects--> toPort of the other end
 *                             [ near <=== back: hold, cut?, break? ===== far ]
 *
 * In this picture the first end connects. If the second end connects, as a replica does to its primary, the directions
 * are swapped: `back` goes from near to far. The relay carries bytes and knows no protocol. It differs from a cable:
 * - The kernel accepts a connection at once. While `forward` is cut, a new connection stays silent; a real one would
 *   never be established. While only `back` is cut, the bytes of a new connection reach the other end. A real
 *   connection would not be established either.
 * - A connection that the other end refuses is reset here.
 * - Swallowed bytes are not sent again. When the cut is healed, a connection that lost bytes is reset, as if its kernel
 *   had given up. The other connections go on.
 */
export class TcpLink implements Link {
  readonly name: string;
  readonly port: number;
  readonly traffic = {
    connections: 0,
    swallowedConnections: 0,
    brokenAnswers: 0,
    forward: { bytes: 0, swallowedBytes: 0, heldBytes: 0 },
    back: { bytes: 0, swallowedBytes: 0, heldBytes: 0 },
  } satisfies Traffic;
  #toPort: number;
  /** The direction of the first bytes, which the connecting end sends. */
  readonly #asking: LinkDirection;
  readonly #server: Server;
  readonly #toxics: Toxic[] = [];
  readonly #open = new Set<Connection>();

  static async listen(name: string, toPort: number, asking: LinkDirection = 'forward'): Promise<TcpLink> {
    return onFreePort(async port => {
      const link = new TcpLink(name, port, toPort, asking);
      await link.#listen();
      return link;
    });
  }

  private constructor(name: string, port: number, toPort: number, asking: LinkDirection) {
    this.name = name;
    this.port = port;
    this.#toPort = toPort;
    this.#asking = asking;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, near => this.#accept(near));
    this.#server.maxConnections = connectionsMax;
  }

  get toPort(): number {
    return this.#toPort;
  }

  async disturb(toxic: Toxic): Promise<() => Promise<void>> {
    this.#toxics.push(toxic);
    if (toxic.refuses && this.#server.listening) this.#server.close();
    return () => this.#removeToxic(toxic);
  }

  retarget(port: number): void {
    this.#toPort = port;
    for (const connection of this.#open) connection.reset();
  }

  async close(): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve));
    for (const connection of this.#open) connection.destroy();
    await closed;
  }

  async #listen(): Promise<void> {
    this.#server.listen({ host: '127.0.0.1', port: this.port });
    await once(this.#server, 'listening');
  }

  async #removeToxic(toxic: Toxic): Promise<void> {
    const index = this.#toxics.indexOf(toxic);
    if (index < 0) return;
    this.#toxics.splice(index, 1);
    for (const connection of this.#open) connection.resume(way => this.#isCut(way));
    if (toxic.refuses && !this.#toxics.some(({ refuses }) => refuses)) await this.#listen();
  }

  #isCut(way: LinkDirection): boolean {
    return this.#toxics.some(({ cuts }) => cuts?.(way));
  }

  #accept(near: Socket): void {
    const isSwallowed = this.#isCut(this.#asking);
    const options = { allowHalfOpen: true, noDelay: true };
    const far = isSwallowed ? new Socket(options) : connect({ ...options, host: '127.0.0.1', port: this.#toPort });
    this.traffic.connections += 1;
    if (isSwallowed) this.traffic.swallowedConnections += 1;
    const connection = new Connection([near, far], this.#asking, this.#toxics, this.traffic);
    connection.asking.hasLost = isSwallowed;
    this.#open.add(connection);
    void connection.closed.then(() => this.#open.delete(connection));
  }
}

class Connection {
  readonly asking: Pipe;
  readonly #answering: Pipe;
  /** Resolves when both of its sockets are closed. */
  readonly closed: Promise<unknown>;
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #toxics: readonly Toxic[];
  /** Bytes of the current answer: those that have come back since the last request bytes. */
  #answeredBytes = 0;
  #breaksBy: 'reset' | 'end' = 'reset';

  constructor(
    [near, far]: [Socket, Socket],
    asking: LinkDirection,
    toxics: readonly Toxic[],
    traffic: TcpLink['traffic'],
  ) {
    this.#near = near;
    this.#far = far;
    this.#toxics = toxics;
    this.closed = Promise.all([near, far].map(socket => new Promise(resolve => socket.once('close', resolve))));
    this.asking = new Pipe(asking, near, far, {
      toxics,
      flow: traffic[asking],
      passing: bytes => this.#passRequest(bytes),
    });
    const answering = asking === 'forward' ? 'back' : 'forward';
    this.#answering = new Pipe(answering, far, near, {
      toxics,
      flow: traffic[answering],
      passing: bytes => this.#passAnswer(bytes),
      onBroken: () => {
        traffic.brokenAnswers += 1;
        this.#end();
      },
    });
  }

  reset(): void {
    this.#near.resetAndDestroy();
    this.#far.resetAndDestroy();
  }

  destroy(): void {
    this.#near.destroy();
    this.#far.destroy();
  }

  /** Called when a toxic was removed: resets a connection that lost bytes, and flushes one that did not. */
  resume(isCut: (way: LinkDirection) => boolean): void {
    const pipes = [this.asking, this.#answering];
    if (pipes.some(pipe => pipe.hasLost && isCut(pipe.way))) return;
    if (pipes.some(pipe => pipe.hasLost)) this.reset();
    else for (const pipe of pipes) pipe.flush();
  }

  #passRequest(bytes: number): number {
    this.#answeredBytes = 0;
    return bytes;
  }

  #passAnswer(bytes: number): number {
    let passing = bytes;
    for (const { breaks } of this.#toxics) {
      const left = breaks === undefined ? bytes : Math.max(0, breaks.afterBytes - this.#answeredBytes);
      if (left >= passing) continue;
      passing = left;
      this.#breaksBy = breaks?.by ?? 'reset';
    }
    this.#answeredBytes += bytes;
    return passing;
  }

  #end(): void {
    if (this.#breaksBy === 'reset') {
      setTimeout(() => this.reset(), resetAfterMs);
    } else {
      this.#near.destroySoon();
      this.#far.destroy();
    }
  }
}
