import type { StoreEntry } from '../session-store.js';
import { memcached } from './memcached.js';
import { memory } from './memory.js';
import { postgres } from './postgres.js';
import { redis } from './redis.js';

export const stores: Record<string, StoreEntry> = {
  memory,
  redis,
  memcached,
  postgres,
};
