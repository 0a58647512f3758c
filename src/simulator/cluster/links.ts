import { once } from 'node:events';
import { connect, createServer, type Server, Socket } from 'node:net';
import type { Link, Traffic } from './cluster.js';
import { Pipe } from './links/pipe.js';
import type { LinkDirection, Toxic } from './links/toxics.js';
import { freePort } from './processes/free-port.js';

/** Beyond it the kernel's answer is a reset. */
const connectionsMax = 10_000;
/** Who finds bytes and a reset at once takes it for an end in good order (libuv does): it comes a little after them. */
const resetAfterMs = 5;

/**
 * A TCP link from one member to another, in this process, one for each directed pair, only where a scenario asks for it:
 *
 *     from --connects--> port [ near ==== forward: hold, cut? =========> far ] --connects--> toPort of the other end
 *                             [ near <=== back: hold, cut?, break? ===== far ]
 *
 * The end that is named second may be the one that connects, as a replica does to the primary that feeds it: then `back`
 * goes from near to far. It carries bytes and knows no protocol. What differs from a cable:
 * - The kernel accepts at once. While `forward` is cut, a new connection leads nowhere and hears nothing, where a real
 *   one would never be set up; while only `back` is cut, what is said on it arrives, where a real one would not be
 *   set up either; and who is refused at the other end is reset here.
 * - What a cut swallows is not sent again: when the cut is healed, a connection that lost something is reset, as one whose
 *   kernel has given up. The others go on.
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
  /** The way of what is said first, by whoever connects. */
  readonly #asking: LinkDirection;
  readonly #server: Server;
  readonly #toxics: Toxic[] = [];
  readonly #open = new Set<Connection>();

  static async listen(name: string, toPort: number, asking: LinkDirection = 'forward'): Promise<TcpLink> {
    const link = new TcpLink(name, await freePort(), toPort, asking);
    await link.#listen();
    return link;
  }

  private constructor(name: string, port: number, toPort: number, asking: LinkDirection) {
    this.name = name;
    this.port = port;
    this.#toPort = toPort;
    this.#asking = asking;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, near => this.#join(near));
    this.#server.maxConnections = connectionsMax;
  }

  get toPort(): number {
    return this.#toPort;
  }

  async disturb(toxic: Toxic): Promise<() => Promise<void>> {
    this.#toxics.push(toxic);
    if (toxic.refuses && this.#server.listening) this.#server.close();
    return () => this.#relieve(toxic);
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

  async #relieve(toxic: Toxic): Promise<void> {
    const index = this.#toxics.indexOf(toxic);
    if (index < 0) return;
    this.#toxics.splice(index, 1);
    for (const connection of this.#open) connection.relieve(way => this.#isCut(way));
    if (toxic.refuses && !this.#toxics.some(({ refuses }) => refuses)) await this.#listen();
  }

  #isCut(way: LinkDirection): boolean {
    return this.#toxics.some(({ cuts }) => cuts?.(way));
  }

  #join(near: Socket): void {
    const nowhere = this.#isCut(this.#asking);
    const options = { allowHalfOpen: true, noDelay: true };
    const far = nowhere ? new Socket(options) : connect({ ...options, host: '127.0.0.1', port: this.#toPort });
    this.traffic.connections += 1;
    if (nowhere) this.traffic.swallowedConnections += 1;
    const connection = new Connection([near, far], this.#asking, this.#toxics, this.traffic);
    connection.asking.lost = nowhere;
    this.#open.add(connection);
    void connection.closed.then(() => this.#open.delete(connection));
  }
}

class Connection {
  readonly asking: Pipe;
  readonly #answering: Pipe;
  /** Both of its sockets are. */
  readonly closed: Promise<unknown>;
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #toxics: readonly Toxic[];
  /** Of the answer: what has come back since something was said last. */
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
      passing: bytes => this.#ask(bytes),
    });
    const answering = asking === 'forward' ? 'back' : 'forward';
    this.#answering = new Pipe(answering, far, near, {
      toxics,
      flow: traffic[answering],
      passing: bytes => this.#answer(bytes),
      onBroken: () => {
        traffic.brokenAnswers += 1;
        this.#break();
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

  /** Something that was wrong with the link is no more. */
  relieve(isCut: (way: LinkDirection) => boolean): void {
    const pipes = [this.asking, this.#answering];
    if (pipes.some(pipe => pipe.lost && isCut(pipe.way))) return;
    if (pipes.some(pipe => pipe.lost)) this.reset();
    else for (const pipe of pipes) pipe.flush();
  }

  #ask(bytes: number): number {
    this.#answeredBytes = 0;
    return bytes;
  }

  #answer(bytes: number): number {
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

  #break(): void {
    if (this.#breaksBy === 'reset') {
      setTimeout(() => this.reset(), resetAfterMs);
    } else {
      this.#near.destroySoon();
      this.#far.destroy();
    }
  }
}
