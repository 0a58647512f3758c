import { startMemcached } from './with-memcached.js';
import { type RedisServer, startRedis } from './with-redis.js';

/** What the contract needs of the world around a store, under the store's name in the registry. */
export interface StoreLab {
  /** The server behind the store, if there is one; with it the contract runs the rows about outages. */
  readonly server: RedisServer | undefined;
  readonly url: string | undefined;
  stop(): Promise<void>;
}

export const storeLabs: Record<string, () => Promise<StoreLab>> = {
  memory: async () => ({ server: undefined, url: undefined, stop: async () => undefined }),
  redis: async () => {
    const server = await startRedis();
    return { server, url: server.url, stop: server.stop };
  },
  memcached: async () => {
    const server = await startMemcached();
    return { server, url: server.url, stop: server.stop };
  },
};
