import type { Cluster } from './cluster.js';
import { countDataCommands, infoField, withRedis } from './redis-client.js';

const waitMs = 100;

/** In the directory of each Redis: what it reads when it is started, its role too. */
export const configFile = 'redis.conf';

export function following(primaryPort: number): string {
  return `replicaof 127.0.0.1 ${primaryPort}`;
}

/** Of a member that is fed, who feeds it as the lab was started; undefined for any other. */
export function feederOf(member: string): string | undefined {
  return /^redis\.replica-\d+$/.test(member) ? 'redis.primary' : undefined;
}

/**
 * Reads how many data commands the feeder of a replica has carried out: what the replica misses while it is away.
 * Undefined for any other member, which cannot be asked while it is away itself.
 */
export async function countAtFeeder(cluster: Cluster, target: string): Promise<number | undefined> {
  const feeder = feederOf(target);
  return feeder === undefined ? undefined : countDataCommands(cluster.member(feeder).port);
}

/**
 * Whether the feeder of this replica acknowledges a write that not all of its replicas have: what it says when it is
 * asked to WAIT for them. False when all have it.
 */
export async function unreplicated(cluster: Cluster, replica: string): Promise<string | false> {
  const { port } = cluster.member(feederOf(replica) ?? replica);
  return withRedis(port, async redis => {
    const replicas = Number(infoField(await redis.info('replication'), 'connected_slaves')) || 1;
    await redis.set('holdfast-lab:wait', replica, 'EX', 60);
    const count = await redis.wait(replicas, waitMs);
    return count < replicas && `WAIT ${replicas} ${waitMs} answered ${count}`;
  });
}
