import { createServer, type Server, type Socket } from 'node:net';
import { ownDescriptorPlan } from '../front/open-files.js';
import { type BoundAddress, listenOn, type OpenSocket } from '../sockets/listen.js';
import type { WorkerProcess } from './worker-process.js';

/**
 * Accepts connections and distributes them to the workers in turn. It never reads from them. The measurements in
 * `docs/proxy-operate.md` show why the workers do not accept by themselves.
 *
 * `node:cluster` can do this too. But its primary accepts as long as a worker listens, and closes the connections that no
 * worker has taken. So a restart would lose connections. Here the order is certain: the primary stops accepting, passes on
 * all accepted connections, and then the workers finish.
 */
export class ConnectionDistributor {
  readonly server: Server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, socket => this.#accept(socket));
  /** By slot. The list changes when a worker is replaced. */
  readonly #workers: readonly WorkerProcess[];
  /** Accepted while no worker serves. */
  #waiting: Socket[] = [];
  #turn = 0;
  readonly #onTurnedAway: () => void;

  /** `onTurnedAway`: called for each connection that is closed because this process has no descriptors for it. */
  constructor(workers: readonly WorkerProcess[], onTurnedAway: () => void) {
    this.#workers = workers;
    this.#onTurnedAway = onTurnedAway;
  }

  /** See `listenOn`. */
  listen(address: BoundAddress, open?: OpenSocket): Promise<BoundAddress> {
    return listenOn(this.server, address, open);
  }

  /** Distributes again the connections that a worker could not take, and those that waited for a worker. */
  redistribute(sockets: readonly Socket[] = []): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const socket of [...waiting, ...sockets]) this.#distribute(socket);
  }

  /** Stops accepting. All accepted connections are on their way to a worker, or wait for one. */
  close(): void {
    this.server.close();
  }

  /** Closes the connections that no worker has taken. */
  dropWaiting(): void {
    for (const socket of this.#waiting) socket.destroy();
    this.#waiting = [];
  }

  #accept(socket: Socket): void {
    // The socket closes by itself after an error.
    socket.on('error', () => {});
    // Otherwise Node makes the worker report the end of each connection to this server: a tenth more for each.
    Reflect.set(socket, 'server', null);
    this.#distribute(socket);
  }

  #distribute(socket: Socket): void {
    const worker = this.#next();
    if (this.#held >= ownDescriptorPlan().clients) {
      socket.destroy();
      this.#onTurnedAway();
    } else if (worker !== undefined) worker.take(socket, lost => this.#distribute(lost));
    else this.#waiting.push(socket);
  }

  /** The connections that are open in this process: none has reached a worker yet. */
  get #held(): number {
    let held = this.#waiting.length;
    for (const { waiting } of this.#workers) held += waiting;
    return held;
  }

  /** Returns the next worker in turn with nothing waiting, or else the one with the least. */
  #next(): WorkerProcess | undefined {
    let least: WorkerProcess | undefined;
    for (let nth = 1; nth <= this.#workers.length; nth += 1) {
      const at = (this.#turn + nth) % this.#workers.length;
      const worker = this.#workers[at];
      if (worker === undefined || !worker.isServing) continue;
      if (worker.waiting === 0) {
        this.#turn = at;
        return worker;
      }
      if (least === undefined || worker.waiting < least.waiting) least = worker;
    }
    return least;
  }
}
