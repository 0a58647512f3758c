import { defaultHost } from '../hosts.js';
import type { PoolOptions } from '../options.js';
import type { Joining, Member } from './member.js';
import { BackendPool, type ChangeableSettings, type LeftBackend, type PoolSettings } from './pool.js';

/** Options of a pool. A worker has no `drainMs`: the primary starts and ends drains. */
type OwnOptions = Pick<PoolOptions, 'affinity' | 'slowStartMs' | 'ejection' | 'maxconn' | 'queue'> &
  Partial<Pick<PoolOptions, 'drainMs'>>;

/** The backends that left, by the host of their pool and their identity. */
export type LeftByHost = ReadonlyMap<string, ReadonlyMap<string, LeftBackend>>;

/** The pools of all hosts. The name of a backend is unique in all of them. */
export class Pools {
  readonly #shared: Omit<PoolSettings, keyof ChangeableSettings>;
  readonly #byHost = new Map<string, BackendPool>();

  constructor(shared: Omit<PoolSettings, keyof ChangeableSettings>) {
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

  /** Returns the pool of a host, or of a backend. Throws for an unknown host. */
  of({ host }: { readonly host: string }): BackendPool {
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
  add(url: URL, joining: Joining & { readonly name?: string | undefined }): Member {
    return this.of({ host: joining.host ?? defaultHost }).add(url, joining);
  }

  remove(name: string): Member | undefined {
    const member = this.find(name);
    return member && this.of(member).remove(name);
  }

  /** The number of requests that wait for a full backend. */
  get queued(): number {
    let queued = 0;
    for (const { queue } of this.#byHost.values()) queued += queue.length;
    return queued;
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

function pickOwn({ affinity, drainMs = 0, slowStartMs, ejection, maxconn, queue }: OwnOptions): ChangeableSettings {
  return { drainMs, boundIdleMs: affinity?.idleMs ?? 0, slowStartMs, ejection, maxconn, queue };
}
