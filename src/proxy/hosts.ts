import {
  type HostOptions,
  hasDefaultPool,
  type PoolOptions,
  type PoolServingOptions,
  type ProxyOptions,
  type ServingOptions,
} from './options.js';

/** The pool of the hosts that have none of their own. Its backends are those at the top of the settings. */
export const defaultHost = '';

/** A backend in the list of all pools. */
export type HostedBackend = ProxyOptions['backends'][number] & { readonly host: string };

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

type Certified = readonly Pick<HostOptions, 'host' | 'tls'>[] | undefined;

/** Whether the port speaks TLS. */
export function speaksTls({ tls, hosts }: Pick<ServingOptions, 'tls'> & { readonly hosts?: Certified }): boolean {
  return tls !== undefined || (hosts?.some(host => host.tls !== undefined) ?? false);
}
