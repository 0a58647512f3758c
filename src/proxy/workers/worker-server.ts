import type { Socket } from 'node:net';
import { poolsToServe } from '../hosts.js';
import type { ServingOptions } from '../options.js';
import type { Member, MemberFacts } from '../pool/member.js';
import type { Primary } from '../pool/pool.js';
import { Pools } from '../pool/pools.js';
import { Serving } from '../serving.js';
import { type ToPrimary, type ToWorker, toErrorFacts, type WorkerReport } from './messages.js';

type Serve = Extract<ToWorker, { kind: 'serve' }>;

/** Interval of unrequested reports. A worker that dies loses what it counted and saw since its last report. */
const reportEveryMs = 1000;

/**
 * The serving part in a worker. Its pool follows the primary's. Decisions that must be made once are reported to the
 * primary and come back as facts. Only a boot name applies at once, because the same answer needs it in its cookie.
 */
export class WorkerServer implements Primary {
  readonly #tell: (message: ToPrimary) => void;
  readonly #pools: Pools;
  readonly #serving: Serving;
  /** Suspect members that were reported to the primary, which has not updated them since. They are not reported again:
   * while all backends are down, each request suspects some. */
  readonly #told = new Set<Member>();

  constructor({ options, members }: Serve, tell: (message: ToPrimary) => void) {
    this.#tell = tell;
    this.#pools = new Pools({
      share: options.share,
      now: Date.now,
      random: Math.random,
      onEvent: () => {},
      onSuspect: member => this.#suspect(member),
      primary: this,
    });
    this.#pools.prepare(poolsToServe(options));
    this.#serving = new Serving(options, this.#pools);
    for (const facts of members) this.adopt(facts);
  }

  /** Rejects with the system's error. */
  async open(): Promise<void> {
    await this.#serving.open();
    this.#tell({ kind: 'serving' });
    setInterval(() => this.report(0), reportEveryMs).unref();
  }

  take(socket: Socket): void {
    this.#serving.take(socket);
  }

  adopt(facts: MemberFacts): void {
    const member = this.#pools.find(facts.name) ?? this.#join(facts);
    this.#told.delete(member);
    this.#pools.of(member).adopt(member, facts);
  }

  left(backend: string): void {
    const member = this.#pools.remove(backend);
    if (member === undefined) return;
    this.#told.delete(member);
    this.#serving.leave(member);
  }

  report(number: number): void {
    const [counts] = this.#serving.counts();
    const backends = this.#pools.members.map(member => ({
      name: member.name,
      inFlight: member.inFlight.size,
      queued: this.#pools.of(member).queue.lengthFor(member),
      boot: member.boot,
      bound: member.bound.takeNews(),
    }));
    const report: WorkerReport = { backends, counts };
    this.#tell({ kind: 'report', number, report });
  }

  async reload(number: number, options: ServingOptions): Promise<void> {
    this.#pools.prepare(poolsToServe(options));
    const error = await this.#serving.reload(options).then(() => undefined, toErrorFacts);
    if (error === undefined) this.#pools.change(poolsToServe(options));
    this.#tell({ kind: 'reloaded', number, error });
  }

  drainConnections(): void {
    this.#serving.drainConnections();
  }

  async close(graceMs: number, hasSuccessor: boolean): Promise<void> {
    await this.#serving.close(graceMs, hasSuccessor);
    this.report(0);
  }

  failures({ name }: Member): void {
    this.#tell({ kind: 'failures', backend: name });
  }

  learnt({ name }: Member, incarnation: string, asked: number): void {
    this.#tell({ kind: 'learnt', backend: name, incarnation, asked });
  }

  #suspect(member: Member): void {
    if (this.#told.has(member)) return;
    this.#told.add(member);
    this.#tell({ kind: 'suspect', backend: member.name });
  }

  #join({ name, identity, url, host }: MemberFacts): Member {
    const member = this.#pools.add(new URL(url), { name, identity, host });
    this.#serving.join(member);
    return member;
  }
}
