import type { StoreEntry } from '../session-store.js';

/** The stores by name. A store is loaded only when it is used: loading the client of its server takes most of the start
 * time. */
export const stores: Readonly<Record<string, () => Promise<StoreEntry>>> = {
  memory: async () => (await import('./memory.js')).memory,
  redis: async () => (await import('./redis.js')).redis,
  memcached: async () => (await import('./memcached.js')).memcached,
  postgres: async () => (await import('./postgres.js')).postgres,
};
