import { startCluster } from './with-cluster.js';
import { startMemcached } from './with-memcached.js';
import { startPostgres } from './with-postgres.js';
import { type RedisServer, startRedis } from './with-redis.js';
import { startSentinel } from './with-sentinel.js';

/** The servers that the contract needs for a store, by the store's name in the registry. */
export interface StoreLab {
  /** The server behind the store, if there is one. The contract uses it for the outage cases. */
  readonly server: RedisServer | undefined;
  readonly url: string | undefined;
  /** Address of the server with the list of revoked sessions, for a relay in front of it. */
  readonly feedPort?: number;
  stop(): Promise<void>;
}

/** Longer than any test freezes or kills the primary, so that it comes back and is not replaced. */
const sentinelPatienceMs = 15_000;

/** The servers behind the address of Redis: STORE=sentinel or STORE=cluster, by default one server. */
const redisTopologies: Record<string, () => Promise<StoreLab>> = {
  single: async () => {
    const server = await startRedis();
    return { server, url: server.url, feedPort: Number(new URL(server.url).port), stop: server.stop };
  },
  sentinel: async () => {
    const server = await startSentinel(sentinelPatienceMs);
    return { server, url: server.url, feedPort: server.primary.port, stop: server.stop };
  },
  cluster: async () => {
    const server = await startCluster();
    const { port } = await server.ownerOf('holdfast:revoked');
    return { server, url: server.url, feedPort: port, stop: server.stop };
  },
};

function startTopology(): Promise<StoreLab> {
  const { STORE: name = 'single' } = process.env;
  const start = Object.hasOwn(redisTopologies, name) ? redisTopologies[name] : undefined;
  if (start !== undefined) return start();
  throw new Error(`STORE is "${name}": expected one of ${Object.keys(redisTopologies).join(', ')}`);
}

export const storeLabs: Record<string, () => Promise<StoreLab>> = {
  memory: async () => ({ server: undefined, url: undefined, stop: async () => undefined }),
  redis: async () => startTopology(),
  memcached: async () => {
    const server = await startMemcached();
    return { server, url: server.url, stop: server.stop };
  },
  postgres: async () => {
    const server = await startPostgres();
    return { server, url: server.url, stop: server.stop };
  },
};
