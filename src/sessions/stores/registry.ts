import type { StoreEntry } from '../session-store.js';

/** Each is loaded when it is the one: it draws in the client of its server, and the start of a backend is mostly that. */
export const stores: Readonly<Record<string, () => Promise<StoreEntry>>> = {
  memory: async () => (await import('./memory.js')).memory,
  redis: async () => (await import('./redis.js')).redis,
  memcached: async () => (await import('./memcached.js')).memcached,
  postgres: async () => (await import('./postgres.js')).postgres,
};
