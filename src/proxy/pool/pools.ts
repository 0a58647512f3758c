import {
  type HostOptions,
  hasDefaultPool,
  type PoolOptions,
  type PoolServingOptions,
  type ProxyOptions,
  type ServingOptions,
} from '../options.js';
import type { Joining, Member } from './member.js';
import { BackendPool, type ChangeableSettings, type LeftBackend, type PoolSettings } from './pool.js';

/** The pool of the hosts that have none of their own. Its backends are those at the top of the settings. */
export const defaultHost = '';

/** A backend in the list of all pools. */
export type HostedBackend = ProxyOptions['backends'][number] & { readonly host: string };

/** Options of a pool. A worker has no `drainMs`: the primary starts and ends drains. */
type OwnOptions = Pick<PoolOptions, 'affinity' | 'slowStartMs' | 'ejection' | 'maxconn' | 'queue'> &
  Partial<Pick<PoolOptions, 'drainMs'>>;

/** The backends that left, by the host of their pool and their identity. */
export type LeftByHost = ReadonlyMap<string, ReadonlyMap<string, LeftBackend>>;

/**
 * The pools of all hosts. The name of a backend is unique in all of them. `of` returns the pool of one backend.
 */
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

/** A name of a host with at least one letter in its last label, an IPv4 address or an IPv6 address in brackets. */
const hostShape =
  /^(?:(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?|\[[0-9a-f:.]+\])$/;
const hostCharsMax = 253;

/** Returns the host without its port, in lower case. Undefined when the text names no host. */
export function parseHost(text: string): string | undefined {
  const name = text.replace(/:\d{0,5}$/, '').toLowerCase();
  const host = name.endsWith('.') ? name.slice(0, -1) : name;
  return host.length <= hostCharsMax && hostShape.test(host) ? host : undefined;
}

/** Whether the text can be the host of a pool: `shop.example.com`, or `*.example.com` for all names below it. */
export function isHostPattern(text: string): boolean {
  return parseHost(text.replace(/^\*\./, '')) === text.replace(/^\*\./, '');
}

/**
 * Finds what belongs to a host: its own entry, or the entry of the longest `*.` pattern that covers it. `fallback` is for
 * all other hosts, and for requests without one.
 */
export class HostMap<T> {
  readonly #byHost: ReadonlyMap<string, T>;
  readonly #fallback: T | undefined;

  constructor(byHost: ReadonlyMap<string, T>, fallback: T | undefined) {
    this.#byHost = byHost;
    this.#fallback = fallback;
  }

  find(text: string | undefined): T | undefined {
    const host = text === undefined ? undefined : parseHost(text);
    if (host === undefined) return this.#fallback;
    const own = this.#byHost.get(host);
    if (own !== undefined) return own;
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const covered = this.#byHost.get(`*${host.slice(dot)}`);
      if (covered !== undefined) return covered;
    }
    return this.#fallback;
  }
}

type Hosted<Own> = Own & { readonly hosts?: readonly (Own & { readonly host: string })[] | undefined };

/** Returns the options of each pool by its host. The pool of the other hosts is there if `hasDefault`. */
function poolsByHost<Own extends object>(options: Hosted<Own>, hasDefault: boolean): ReadonlyMap<string, Own> {
  const hosts = (options.hosts ?? []).map(pool => [pool.host, pool] as const);
  return new Map<string, Own>(hasDefault ? [[defaultHost, options], ...hosts] : hosts);
}

/** Returns the hosts that are served; all others are undefined. */
export function mapServedHosts(options: ProxyOptions): HostMap<true> {
  const hosts = (options.hosts ?? []).map(({ host }) => [host, true] as const);
  return new HostMap<true>(new Map(hosts), hasDefaultPool(options) ? true : undefined);
}

export function listPools(options: ProxyOptions): ReadonlyMap<string, PoolOptions> {
  return poolsByHost<PoolOptions>(options, hasDefaultPool(options));
}

export function listBackends(options: ProxyOptions): readonly HostedBackend[] {
  return [...listPools(options)].flatMap(([host, { backends }]) => backends.map(backend => ({ ...backend, host })));
}

/** Returns the options with which the serving part serves each pool, by its host. */
export function poolsToServe(options: ServingOptions): ReadonlyMap<string, PoolServingOptions> {
  return poolsByHost<PoolServingOptions>(options, options.hasDefaultPool);
}

/** Whether the port speaks TLS. */
export function speaksTls({ tls, hosts }: Pick<ServingOptions, 'tls'> & { readonly hosts?: Certified }): boolean {
  return tls !== undefined || (hosts?.some(host => host.tls !== undefined) ?? false);
}

type Certified = readonly Pick<HostOptions, 'host' | 'tls'>[] | undefined;
