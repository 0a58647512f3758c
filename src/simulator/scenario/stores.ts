import type { z } from 'zod';
import type { StoresSpec } from '../cluster/store-server.js';
import { amongNumbers, map, megabytes, oneOf } from './values.js';

/** Schema of `system.redis`, `system.memcached` and `system.postgres`: settings of the store servers of the lab. */

const redis = map('system.redis', {
  replicas: amongNumbers(0, 1, 2)
    .default(0)
    .describe('Number of replicas. With replicas, the members are redis.primary, redis.replica-1 and redis.replica-2.'),
  sentinels: amongNumbers(0, 3)
    .default(0)
    .describe(
      'Number of Sentinels. Three Sentinels promote a replica by themselves when the primary was unreachable for half a second.',
    ),
  persistence: oneOf('persistence', ['none', 'aof', 'rdb'])
    .default('none')
    .describe(
      'aof: an append-only file with an fsync each second. rdb: snapshots at the default times of Redis and when it is stopped.',
    ),
  memory: megabytes.optional().describe('Memory limit. An empty Redis already uses 1MB.'),
  eviction: oneOf('eviction', ['noeviction', 'allkeys-lru'])
    .default('noeviction')
    .describe('What Redis does when the memory is full: refuse new data, or evict the least recently used data.'),
}).superRefine(({ replicas, sentinels, memory, eviction }, context) => {
  const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  if (sentinels > 0 && replicas === 0)
    refuse('sentinels', 'found sentinels without a replica to promote, expected replicas: 1 or 2 as well');
  if (eviction !== 'noeviction' && memory === undefined)
    refuse('eviction', 'found an eviction without a memory limit, expected memory as well, for example memory: 2MB');
});

const memcached = map('system.memcached', {
  nodes: amongNumbers(1, 2)
    .default(1)
    .describe('Number of nodes. With two, each key is kept by either memcached.node-1 or memcached.node-2.'),
  memory: megabytes
    .optional()
    .describe('Memory for the data of each node; default: 64MB. Data that does not fit is evicted.'),
});

const postgres = map('system.postgres', {
  commit: oneOf('commit', ['synchronous', 'asynchronous'])
    .default('synchronous')
    .describe('asynchronous: an acknowledged transaction takes a second to reach the disk.'),
});

export const storesInFile = {
  memcached: memcached.prefault({}),
  redis: redis.prefault({}),
  postgres: postgres.prefault({}),
};

type StoresInFile = { readonly [name in keyof typeof storesInFile]: z.output<(typeof storesInFile)[name]> };

export function storesIn({
  redis: { memory, ...redisRest },
  memcached: nodes,
  postgres: database,
}: StoresInFile): StoresSpec {
  return {
    redis: { ...redisRest, memoryMb: memory },
    memcached: { nodes: nodes.nodes, memoryMb: nodes.memory },
    postgres: database,
  };
}
