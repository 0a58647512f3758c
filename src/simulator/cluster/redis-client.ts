import type { Redis } from 'ioredis';
import type { Cluster } from './cluster.js';

/** Whatever a Redis of the lab is asked by the simulator itself, beyond a PING. */

export const answerWithinMs = 1_000;

/** `use` with a connection of its own, to a port of the loopback; rejects when an answer takes longer than a second. */
export async function withRedis<T>(port: number, use: (redis: Redis) => Promise<T>): Promise<T> {
  // Only when it is wanted: it is by far the largest thing that this part of the program would load.
  const { default: ioredis } = await import('ioredis');
  const redis = new ioredis.Redis(port, '127.0.0.1', {
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: answerWithinMs,
    commandTimeout: answerWithinMs,
    disableClientInfo: true,
  });
  // What fails is told to whoever asked.
  redis.on('error', () => undefined);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** One field of `INFO`, undefined when it is not there. */
export function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
}

/** Commands of connections, of replication and of the lab itself: they say nothing about whether anyone wants data. */
const upkeepCommands = new Set(
  (
    'acl auth client cluster command config discard exec failover function hello info latency lastsave memory monitor ' +
    'multi ping psubscribe psync publish quit readonly replconf replicaof reset role save script select sentinel ' +
    'slaveof slowlog subscribe sync time unsubscribe unwatch wait waitaof watch xread'
  ).split(' '),
);

/** How many commands that read or write data it has carried out since it was started. */
export async function countDataCommands(port: number): Promise<number> {
  return dataCommandsIn(await withRedis(port, redis => redis.info('commandstats')));
}

/** The same, from what `INFO commandstats` answered. */
export function dataCommandsIn(info: string): number {
  let count = 0;
  for (const [, name = '', calls] of info.matchAll(/^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm))
    if (!upkeepCommands.has(name)) count += Number(calls);
  return count;
}

/** `master` or `slave`, as it says itself. */
export async function roleOf(port: number): Promise<string> {
  const [role] = await withRedis(port, redis => redis.role());
  return String(role);
}

/** Makes it follow the one at `primaryPort`, also after its next start. What it has beyond that one is gone. */
export async function follow(port: number, primaryPort: number): Promise<void> {
  await withRedis(port, async redis => {
    await redis.replicaof('127.0.0.1', primaryPort);
    await redis.config('REWRITE');
  });
}

/** Whether it follows another, and hears from it. */
export async function isReplicating(port: number): Promise<boolean> {
  const info = await withRedis(port, redis => redis.info('replication')).catch(() => '');
  return infoField(info, 'master_link_status') === 'up';
}

const waitMs = 100;

/** In the directory of each Redis: what it reads when it is started, its role too. */
export const configFile = 'redis.conf';

export function buildReplicaOf(primaryPort: number): string {
  return `replicaof 127.0.0.1 ${primaryPort}`;
}

/** Of a member that is fed, who feeds it as the lab was started; undefined for any other. */
export function primaryOf(member: string): string | undefined {
  return /^redis\.replica-\d+$/.test(member) ? 'redis.primary' : undefined;
}

/**
 * Reads how many data commands the feeder of a replica has carried out: what the replica misses while it is away.
 * Undefined for any other member, which cannot be asked while it is away itself.
 */
export async function countAtPrimary(cluster: Cluster, target: string): Promise<number | undefined> {
  const primary = primaryOf(target);
  return primary === undefined ? undefined : countDataCommands(cluster.member(primary).port);
}

/**
 * Whether the feeder of this replica acknowledges a write that not all of its replicas have: what it says when it is
 * asked to WAIT for them. False when all have it.
 */
export async function describeUnreplicated(cluster: Cluster, replica: string): Promise<string | false> {
  const { port } = cluster.member(primaryOf(replica) ?? replica);
  return withRedis(port, async redis => {
    const replicas = Number(infoField(await redis.info('replication'), 'connected_slaves')) || 1;
    await redis.set('holdfast-lab:wait', replica, 'EX', 60);
    const count = await redis.wait(replicas, waitMs);
    return count < replicas && `WAIT ${replicas} ${waitMs} answered ${count}`;
  });
}
