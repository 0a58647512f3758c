import type { StoreEntry } from './session-store.js';
import type { StrategyEntry } from './session-strategy.js';

/** The stores by name. A store is loaded only when it is used: loading the client of its server takes most of the start
 * time. */
export const stores = {
  memory: async () => (await import('./stores/memory.js')).memory,
  redis: async () => (await import('./stores/redis.js')).redis,
  memcached: async () => (await import('./stores/memcached.js')).memcached,
  postgres: async () => (await import('./stores/postgres.js')).postgres,
} as const satisfies Record<string, () => Promise<StoreEntry>>;

/** The strategies by name. A strategy is loaded only when it is used. */
export const strategies = {
  reference: async () => (await import('./strategies/reference.js')).reference,
  jwt: async () => (await import('./strategies/jwt.js')).jwt,
  sealed: async () => (await import('./strategies/sealed.js')).sealed,
} as const satisfies Record<string, () => Promise<StrategyEntry>>;
