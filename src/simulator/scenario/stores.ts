import type { z } from 'zod';
import type { StoresSpec } from '../cluster/store-server.js';
import { amongNumbers, map, megabytes, oneOf } from './values.js';

/** `system.redis`, `system.memcached`, `system.postgres`: how the store servers are run that the lab starts. */

const redis = map('system.redis', {
  replicas: amongNumbers(0, 1, 2)
    .default(0)
    .describe('With some the members are redis.primary, redis.replica-1, redis.replica-2.'),
  sentinels: amongNumbers(0, 3)
    .default(0)
    .describe('Three promote a replica by themselves when the primary has been away for half a second.'),
  persistence: oneOf('persistence', ['none', 'aof', 'rdb'])
    .default('none')
    .describe('aof: an fsync each second; rdb: saved at the times that Redis has by default, and when it is stopped.'),
  memory: megabytes.optional().describe('So much at most, of which an empty one takes one.'),
  eviction: oneOf('eviction', ['noeviction', 'allkeys-lru'])
    .default('noeviction')
    .describe(
      'What it does when the memory is full: refuse what is new, or forget what has not been used for a while.',
    ),
}).superRefine(({ replicas, sentinels, memory, eviction }, context) => {
  const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  if (sentinels > 0 && replicas === 0)
    refuse('sentinels', 'found sentinels without a replica that they could promote, expected replicas: 1 or 2 as well');
  if (eviction !== 'noeviction' && memory === undefined)
    refuse('eviction', 'found an eviction without a limit that could be reached, expected memory: 2MB or so as well');
});

const memcached = map('system.memcached', {
  nodes: amongNumbers(1, 2)
    .default(1)
    .describe('With two each key is kept by one of memcached.node-1 and memcached.node-2.'),
  memory: megabytes.optional().describe('So much for what each keeps, 64MB by default: what does not fit is evicted.'),
});

const postgres = map('system.postgres', {
  commit: oneOf('commit', ['synchronous', 'asynchronous'])
    .default('synchronous')
    .describe('asynchronous: what is acknowledged is on its way to the disk for a second.'),
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
