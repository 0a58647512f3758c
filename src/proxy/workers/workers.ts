import { createServer, type Server, type Socket } from 'node:net';
import { ownDescriptorPlan } from '../limits.js';
import type { ProxyEvent, ServingOptions } from '../options.js';
import type { Member } from '../pool/member.js';
import type { Pools } from '../pool/pools.js';
import { type BoundAddress, listenOn, type OpenSocket } from '../sockets.js';
import { ProxyMetrics } from '../telemetry/metrics.js';
import { keepTotals, type ProxyCounts } from '../telemetry/proxy-counts.js';
import type { TrafficServer } from '../traffic-server.js';
import type { ToPrimary, ToWorker, WorkerReport } from './messages.js';
import {
  DescriptorReserve,
  killChecks,
  prepareWorkers,
  silentChecks,
  WorkerProcess,
  watchEveryMs,
} from './worker-process.js';

/*
 * primary:  health checks, orders, admin API -> pool -- facts of a member ------------------------> pool
 *                                                 ^                                                   |
 *                                                 '-- suspect, failures, learnt, report --- engine, dispatcher,
 *                                                                                      affinity :each worker
 */

/**
 * Serves in several processes. This process's pool decides, and the workers' pools follow it. All workers get the same
 * messages in the same order. A lost worker loses its requests in flight, and a new worker replaces it.
 */
export class Workers implements TrafficServer {
  readonly failed: Promise<string>;
  onBinding: TrafficServer['onBinding'];
  #options: ServingOptions;
  readonly #pools: Pools;
  readonly #onEvent: (event: ProxyEvent) => void;
  /** By slot, from 0 to `size` - 1. */
  readonly #processes: WorkerProcess[] = [];
  readonly #reports = new Map<WorkerProcess, WorkerReport>();
  /** Counts of this process. Those of dead workers are added, so that counters never go back. */
  readonly #own = new ProxyMetrics();
  readonly #distributor = new ConnectionDistributor(this.#processes, () => this.#own.turnedAway('limit'));
  readonly #restarts = new Restarts();
  readonly #reserve = new DescriptorReserve();
  readonly #size: number;
  #fail = (_reason: string): void => {};
  #watch: NodeJS.Timeout | undefined;
  #phase: 'starting' | 'serving' | 'closing' = 'starting';

  constructor(options: ServingOptions, size: number, pools: Pools, onEvent: (event: ProxyEvent) => void) {
    this.#options = options;
    this.#size = size;
    this.#pools = pools;
    this.#onEvent = onEvent;
    this.failed = new Promise(resolve => (this.#fail = resolve));
  }

  /** None: learning needs one process (see `--affinity-cookie`). */
  get bindings(): readonly [] {
    return [];
  }

  adoptBinding(): void {}

  get server(): Server {
    return this.#distributor.server;
  }

  async listen(socket?: OpenSocket): Promise<BoundAddress> {
    prepareWorkers();
    for (let slot = 0; slot < this.#size; slot += 1) this.#start(slot);
    await Promise.all(this.#processes.map(each => each.serving));
    const bound = await this.#distributor.listen(this.#options, socket);
    this.#phase = 'serving';
    this.#watch = setInterval(() => this.#watchAll(), watchEveryMs).unref();
    for (const [slot, worker] of this.#processes.entries()) {
      if (worker.reasonOfEnd !== undefined) this.#replace(slot, worker);
    }
    return bound;
  }

  join(member: Member): void {
    this.update(member);
  }

  update({ facts }: Member): void {
    this.#sendAll({ kind: 'member', facts });
  }

  leave({ name }: Member): void {
    this.#sendAll({ kind: 'left', backend: name });
  }

  async refresh(): Promise<void> {
    await Promise.all(this.#processes.filter(({ isSilent }) => !isSilent).map(each => each.report()));
  }

  counts(): readonly ProxyCounts[] {
    return [this.#own.counts, ...[...this.#reports.values()].map(({ counts }) => counts)];
  }

  /** Applies the options in all workers or in none. Workers with different options would contradict each other. */
  async reload(options: ServingOptions): Promise<void> {
    const before = this.#options;
    this.#options = options;
    try {
      await Promise.all(this.#processes.map(each => each.reload(options)));
    } catch (error) {
      this.#options = before;
      await Promise.allSettled(this.#processes.map(each => each.reload(before)));
      throw error;
    }
  }

  drainConnections(): void {
    this.#sendAll({ kind: 'drain-connections' });
  }

  async close(graceMs: number, hasSuccessor = false): Promise<void> {
    this.#phase = 'closing';
    this.#distributor.close();
    await Promise.all(this.#processes.map(each => each.close(graceMs, hasSuccessor)));
    this.#distributor.dropWaiting();
    clearInterval(this.#watch);
    this.#reserve.release();
  }

  /** Replaces silent workers one after the other, so that others serve meanwhile. */
  #watchAll(): void {
    for (const worker of this.#processes) {
      if (!worker.watch()) continue;
      const { pid } = worker;
      this.#onEvent({ kind: 'worker-silent', pid, silentS: silentChecks, killedInS: killChecks - silentChecks });
    }
    // A worker that reports again may have been the only one.
    this.#distributor.redistribute();
    if (this.#processes.every(({ isRunning }) => isRunning))
      this.#processes.find(({ isOverdue }) => isOverdue)?.killSilent();
  }

  #sendAll(message: ToWorker): void {
    for (const each of this.#processes) each.send(message);
  }

  #start(slot: number): WorkerProcess {
    const members = this.#pools.members.map(({ facts }) => facts);
    const options = { ...this.#options, share: { nth: slot, of: this.#size } };
    const onMessage = (message: ToPrimary) => this.#onMessage(worker, message);
    const worker: WorkerProcess = this.#reserve.lend(
      () => new WorkerProcess({ kind: 'serve', options, members }, onMessage),
    );
    this.#processes[slot] = worker;
    void worker.ended.then(() => this.#lost(slot, worker));
    void worker.serving.then(
      () => this.#distributor.redistribute(),
      () => {},
    );
    return worker;
  }

  #onMessage(worker: WorkerProcess, message: ToPrimary): void {
    if (message.kind === 'report') this.#applyReport(worker, message.report);
    const member = 'backend' in message ? this.#pools.find(message.backend) : undefined;
    if (member === undefined) return;
    if (message.kind === 'suspect') this.#pools.of(member).suspect(member);
    else if (message.kind === 'failures') this.#pools.of(member).ejectIfSpared(member);
    else if (message.kind === 'learnt') this.#learn(member, message.incarnation, message.asked);
  }

  /**
   * Updates the workers in any case: another worker may have learnt this boot first, and this one counted it
   * separately.
   */
  #learn(member: Member, incarnation: string, asked: number): void {
    member.learn(incarnation, asked);
    this.update(member);
  }

  #applyReport(worker: WorkerProcess, report: WorkerReport): void {
    this.#reports.set(worker, report);
    for (const { name, boot, bound } of report.backends) {
      const member = this.#pools.find(name);
      // Browsers bound to another boot are no longer bound.
      if (member?.boot === boot) member.bound.add(bound);
    }
    this.#countInFlight();
  }

  #countInFlight(): void {
    for (const member of this.#pools.members) {
      member.inFlightElsewhere = 0;
      member.queuedElsewhere = 0;
    }
    for (const { backends } of this.#reports.values()) {
      for (const { name, inFlight, queued } of backends) {
        const member = this.#pools.find(name);
        if (member === undefined) continue;
        member.inFlightElsewhere += inFlight;
        member.queuedElsewhere += queued;
      }
    }
  }

  #lost(slot: number, worker: WorkerProcess): void {
    const report = this.#reports.get(worker);
    if (report !== undefined) this.#own.add({ ...report.counts, vitals: keepTotals(report.counts.vitals) });
    this.#reports.delete(worker);
    this.#countInFlight();
    this.#distributor.redistribute(worker.takeBack());
    // While workers are starting, a lost worker makes the whole start fail, so it is not replaced.
    if (this.#phase === 'serving') this.#replace(slot, worker);
  }

  #replace(slot: number, { pid, reasonOfEnd: reason = '' }: WorkerProcess): void {
    const replacedBy = this.#restarts.mayReplace(performance.now()) ? this.#start(slot).pid : undefined;
    this.#onEvent({ kind: 'worker-lost', pid, reason, replacedBy });
    if (replacedBy === undefined) this.#fail(tooManyLost);
  }
}

const lossesMax = 5;
const lossesWithinMs = 60_000;
const tooManyLost = `${lossesMax} workers were lost within ${lossesWithinMs / 1000} s; no more are started`;

/** Counts lost workers. If workers die too often, they are not replaced any more. */
export class Restarts {
  readonly #lostMs: number[] = [];

  /** Records a lost worker. Returns whether it may be replaced. */
  mayReplace(nowMs: number): boolean {
    this.#lostMs.push(nowMs);
    if (this.#lostMs.length > lossesMax) this.#lostMs.shift();
    const [first = nowMs] = this.#lostMs;
    return this.#lostMs.length < lossesMax || nowMs - first > lossesWithinMs;
  }
}

/**
 * Accepts connections and distributes them to the workers in turn. It never reads from them. The measurements in
 * `docs/proxy-operate.md` show why the workers do not accept by themselves.
 *
 * `node:cluster` can do this too. But its primary accepts as long as a worker listens, and closes the connections that no
 * worker has taken. So a restart would lose connections. Here the order is certain: the primary stops accepting, passes on
 * all accepted connections, and then the workers finish.
 */
class ConnectionDistributor {
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
    // Otherwise Node makes the worker report the end of each connection to this server. A connection then costs a tenth
    // more.
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
