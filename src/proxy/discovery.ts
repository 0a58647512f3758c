import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';

/** An address and a port where a backend answers. */
export interface Endpoint {
  readonly address: string;
  /** Undefined: the port that the operator gave. */
  readonly port: number | undefined;
}

/** Resolves names by DNS. Rejects when the name is unknown or no server answers. */
export interface NameService {
  /** Returns the IPv4 and IPv6 addresses of a host. */
  resolveHost(host: string): Promise<readonly Endpoint[]>;
  /** Returns the addresses and ports behind a SRV record. */
  resolveService(name: string): Promise<readonly Endpoint[]>;
}

const timeoutMs = 2000;
const tries = 2;
/** An address is dropped when so many answers in a row did not have it: a server may send a part of its addresses. */
const missesMax = 3;

/** `server`: `10.0.0.2:53`; undefined: the servers of this machine. */
export function makeDnsService(server: string | undefined): NameService {
  const resolver = new Resolver({ timeout: timeoutMs, tries });
  if (server !== undefined) resolver.setServers([server]);
  const resolveHost = async (host: string): Promise<readonly Endpoint[]> => {
    if (isIP(host) !== 0) return [{ address: host, port: undefined }];
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
    const found = [v4, v6].flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []));
    return found.map(address => ({ address, port: undefined }));
  };
  const resolveService = async (name: string): Promise<readonly Endpoint[]> => {
    const records = await resolver.resolveSrv(name);
    // RFC 2782: others are asked only when none of the lowest priority can be reached.
    const first = Math.min(...records.map(({ priority }) => priority));
    const used = records.filter(({ priority }) => priority === first);
    const all = await Promise.all(used.map(async ({ name: host, port }) => ({ port, found: await resolveHost(host) })));
    return all.flatMap(({ port, found }) => found.map(({ address }) => ({ address, port })));
  };
  return { resolveHost, resolveService };
}

/**
 * The endpoints of one name over time. A failed answer changes nothing: DNS that is down takes no backend away. An
 * endpoint goes when several answers in a row did not have it.
 */
export class KnownEndpoints {
  readonly #misses = new Map<string, { readonly endpoint: Endpoint; missed: number }>();

  /** The endpoints in a constant order. */
  get all(): readonly Endpoint[] {
    return [...this.#misses].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { endpoint }]) => endpoint);
  }

  /** Takes an answer. Returns whether `all` has changed. */
  update(answer: readonly Endpoint[]): boolean {
    let changed = false;
    const present = new Map(answer.map(endpoint => [keyOf(endpoint), endpoint]));
    for (const [key, endpoint] of present) {
      changed ||= !this.#misses.has(key);
      this.#misses.set(key, { endpoint, missed: 0 });
    }
    // An empty answer counts as a failure.
    if (present.size === 0) return false;
    for (const [key, known] of this.#misses) {
      if (present.has(key)) continue;
      known.missed += 1;
      if (known.missed >= missesMax) changed = this.#misses.delete(key);
    }
    return changed;
  }
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port ?? ''}`;
}
