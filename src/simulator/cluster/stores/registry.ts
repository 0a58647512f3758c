import type { StoreServerName } from '../../../shared/stores.js';
import type { StoreServer } from '../store-server.js';
import { memcached } from './memcached.js';
import { postgres } from './postgres.js';
import { redis } from './redis.js';

/** Every store server that the lab can start, and that a fault can name as its target. */
export const storeServers: { readonly [name in StoreServerName]: StoreServer } = {
  redis,
  memcached,
  postgres,
};

export const storeServerNames: readonly string[] = Object.keys(storeServers);

export function isStoreServer(name: string): name is StoreServerName {
  return Object.hasOwn(storeServers, name);
}

/** Returns the server that a member such as `redis.replica-1` belongs to. */
export function serverOf(member: string): string {
  return member.split('.')[0] ?? member;
}
