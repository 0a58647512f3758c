import type { BackendView } from '../backends.js';
import { defaultHost } from '../hosts.js';
import type { AffinityOptions, EjectionOptions, QueueOptions } from '../options.js';
import type { Joining, Member, MemberFacts, MemberSnapshot, Order } from './member.js';
import { BackendPool, type LeftBackend, type OwnLimits, type PoolSettings } from './pool.js';

/** The settings in which pools of one proxy differ. */
type OwnSettings = Pick<PoolSettings, 'drainMs' | 'boundIdleMs' | 'slowStartMs' | 'ejection' | 'maxconn' | 'queue'>;
interface OwnOptions {
  readonly affinity: AffinityOptions | undefined;
  readonly slowStartMs: number;
  readonly ejection: EjectionOptions;
  readonly maxconn: number;
  readonly queue: QueueOptions;
  readonly drainMs?: number;
}

/** The backends that left, by the host of their pool and their identity. */
export type LeftByHost = ReadonlyMap<string, ReadonlyMap<string, LeftBackend>>;

/**
 * The pools of all hosts. The name of a backend is unique in all of them. What concerns one backend goes to its pool: see
 * `BackendPool`.
 */
export class Pools {
  readonly #shared: Omit<PoolSettings, keyof OwnSettings>;
  readonly #byHost = new Map<string, BackendPool>();

  constructor(shared: Omit<PoolSettings, keyof OwnSettings>) {
    this.#shared = shared;
  }

  /** Adds the pools that are missing. */
  prepare(all: ReadonlyMap<string, OwnOptions>): void {
    for (const [host, options] of all) {
      if (this.#byHost.has(host)) continue;
      const settings = { ...this.#shared, ...pickOwn(options), prefix: host === defaultHost ? '' : `${host}:` };
      this.#byHost.set(host, new BackendPool(settings));
    }
  }

  /** Applies new settings to every pool, and drops those of hosts that are gone. Their backends were removed before. */
  change(all: ReadonlyMap<string, OwnOptions>): void {
    this.prepare(all);
    for (const [host, pool] of this.#byHost) {
      const options = all.get(host);
      if (options !== undefined) pool.change(pickOwn(options));
      else if (pool.members.length === 0) this.#byHost.delete(host);
    }
  }

  of(host: string): BackendPool {
    const pool = this.#byHost.get(host);
    if (pool === undefined) throw new RangeError(`there is no pool for the host "${host}"`);
    return pool;
  }

  has(host: string): boolean {
    return this.#byHost.has(host);
  }

  get members(): readonly Member[] {
    const [first, ...others] = [...this.#byHost.values()].map(({ members }) => members);
    return others.length === 0 ? (first ?? []) : [...(first ?? []), ...others.flat()];
  }

  find(name: string): Member | undefined {
    for (const pool of this.#byHost.values()) {
      const member = pool.find(name);
      if (member !== undefined) return member;
    }
    return undefined;
  }

  /** Adds a backend to the pool of its host. */
  add(url: URL, joining: Joining & { readonly name?: string }): Member {
    return this.of(joining.host ?? defaultHost).add(url, joining);
  }

  remove(name: string): Member | undefined {
    const member = this.find(name);
    return member && this.of(member.host).remove(name);
  }

  view(member: Member): BackendView {
    return this.of(member.host).view(member);
  }

  obey(member: Member, order: Order, windowMs?: number): void {
    this.of(member.host).obey(member, order, windowMs);
  }

  weigh(member: Member, weight: number): void {
    this.of(member.host).weigh(member, weight);
  }

  limit(member: Member, limits: OwnLimits): void {
    this.of(member.host).limit(member, limits);
  }

  /** The number of requests that wait for a full backend. */
  get queued(): number {
    let queued = 0;
    for (const { queue } of this.#byHost.values()) queued += queue.length;
    return queued;
  }

  /** Returns the number of requests that wait for this backend and no other. */
  queuedFor(member: Member): number {
    return this.of(member.host).queue.lengthFor(member);
  }

  suspect(member: Member): void {
    this.of(member.host).suspect(member);
  }

  up(member: Member, reason: string): void {
    this.of(member.host).up(member, reason);
  }

  down(member: Member, reason: string): void {
    this.of(member.host).down(member, reason);
  }

  ejectIfSpared(member: Member): void {
    this.of(member.host).ejectIfSpared(member);
  }

  adopt(member: Member, facts: MemberFacts): void {
    this.of(member.host).adopt(member, facts);
  }

  restore(member: Member, snapshot: MemberSnapshot): void {
    this.of(member.host).restore(member, snapshot);
  }

  /** Returns the backends that left, by the host of their pool and their identity. */
  get left(): LeftByHost {
    return new Map([...this.#byHost].map(([host, { left }]) => [host, left] as const));
  }

  restoreLeft(left: LeftByHost): void {
    for (const [host, pool] of this.#byHost) pool.restoreLeft(left.get(host) ?? new Map());
  }

  close(): void {
    for (const pool of this.#byHost.values()) pool.close();
  }
}

/** A worker has no `drainMs`: the primary starts and ends drains. */
function pickOwn({ affinity, drainMs = 0, slowStartMs, ejection, maxconn, queue }: OwnOptions): OwnSettings {
  return { drainMs, boundIdleMs: affinity?.idleMs ?? 0, slowStartMs, ejection, maxconn, queue };
}
