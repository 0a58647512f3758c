import type { Redis } from 'ioredis';
import type { Cluster } from './cluster.js';

/** Commands that the simulator itself sends to a Redis of the lab, apart from PING. */

export const answerWithinMs = 1_000;

/** Calls `use` with a new connection to a loopback port. Rejects when an answer takes longer than a second. */
export async function withRedis<T>(port: number, use: (redis: Redis) => Promise<T>): Promise<T> {
  // Loaded lazily: it is by far the largest dependency of this part of the program.
  const { default: ioredis } = await import('ioredis');
  const redis = new ioredis.Redis(port, '127.0.0.1', {
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: answerWithinMs,
    commandTimeout: answerWithinMs,
    disableClientInfo: true,
  });
  // The call that failed rejects; an unhandled `error` event would end this process.
  redis.on('error', () => undefined);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** Returns one field of an `INFO` answer; undefined when it is missing. */
export function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
}

/** Commands of connections, of replication and of the lab itself. They do not prove that a client uses data. */
const upkeepCommands = new Set(
  (
    'acl auth client cluster command config discard exec failover function hello info latency lastsave memory monitor ' +
    'multi ping psubscribe psync publish quit readonly replconf replicaof reset role save script select sentinel ' +
    'slaveof slowlog subscribe sync time unsubscribe unwatch wait waitaof watch xread'
  ).split(' '),
);

/** Returns how many commands that read or write data the server has executed since it started. */
export async function countDataCommands(port: number): Promise<number> {
  return dataCommandsIn(await withRedis(port, redis => redis.info('commandstats')));
}

/** Counts the data commands in the answer to `INFO commandstats`. */
export function dataCommandsIn(info: string): number {
  let count = 0;
  for (const [, name = '', calls] of info.matchAll(/^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm))
    if (!upkeepCommands.has(name)) count += Number(calls);
  return count;
}

/** Returns the role that the server reports: `master` or `slave`. */
export async function roleOf(port: number): Promise<string> {
  const [role] = await withRedis(port, redis => redis.role());
  return String(role);
}

/** Makes a server the replica of the one at `primaryPort`, also after a restart. Data that only it had is lost. */
export async function follow(port: number, primaryPort: number): Promise<void> {
  await withRedis(port, async redis => {
    await redis.replicaof('127.0.0.1', primaryPort);
    await redis.config('REWRITE');
  });
}

/** Returns whether the server is a replica with a working connection to its primary. */
export async function isReplicating(port: number): Promise<boolean> {
  const info = await withRedis(port, redis => redis.info('replication')).catch(() => '');
  return infoField(info, 'master_link_status') === 'up';
}

const waitMs = 100;

/** Name of the configuration file in the directory of each Redis. It holds the role, too. */
export const configFile = 'redis.conf';

export function buildReplicaOf(primaryPort: number): string {
  return `replicaof 127.0.0.1 ${primaryPort}`;
}

/** Returns the primary of a replica at the start of the lab; undefined for a member that is no replica. */
export function primaryOf(member: string): string | undefined {
  return /^redis\.replica-\d+$/.test(member) ? 'redis.primary' : undefined;
}

/**
 * Counts the data commands that the primary of a replica has executed: the replica misses them while it is away.
 * Undefined for any other member, because a member that is away cannot be asked.
 */
export async function countAtPrimary(cluster: Cluster, target: string): Promise<number | undefined> {
  const primary = primaryOf(target);
  return primary === undefined ? undefined : countDataCommands(cluster.member(primary).port);
}

/**
 * Checks whether the primary of this replica acknowledges a write that not all its replicas have. Returns the answer to
 * WAIT in words; false when all replicas have the write.
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
