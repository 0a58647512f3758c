import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort } from '#src/simulator/cluster/processes/free-port.js';
import { until } from './until.js';
import { type RedisProcess, type RedisServer, serverArguments, startIn, startProcess, told } from './with-redis.js';

const name = 'main';
const quorum = 2;

/**
 * A primary, a replica and three sentinels, all real processes. `freeze`, `kill` and `restart` apply to the primary.
 */
export interface SentinelGroup extends RedisServer {
  /** The first primary. */
  readonly primary: RedisProcess;
  readonly replica: RedisProcess;
  /** Resolves when the replica has been promoted to primary. */
  failedOver(): Promise<void>;
}

export async function withSentinel<T>(downAfterMs: number, work: (group: SentinelGroup) => Promise<T>): Promise<T> {
  const group = await startSentinel(downAfterMs);
  try {
    return await work(group);
  } finally {
    await group.stop();
  }
}

/** Starts the group. The sentinels promote the replica when the primary was away for `downAfterMs`. Call it in
 * `before`, and its `stop` in `after`. */
export async function startSentinel(downAfterMs: number): Promise<SentinelGroup> {
  return startIn('holdfast-sentinel-', async folder => {
    const started: RedisProcess[] = [];
    const stop = async () => void (await Promise.all(started.map(each => each.kill())));
    const start = async (port: number, args: readonly string[]) => {
      const each = await startProcess(port, args);
      started.push(each);
      return each;
    };
    try {
      const [primary, replica] = await startPair(folder, start);
      const configs = await Promise.all([1, 2, 3].map(at => sentinelConfig(folder, at, primary.port, downAfterMs)));
      const sentinels = await Promise.all(configs.map(async file => start(await freePort(), [file, '--sentinel'])));
      await Promise.all(sentinels.map(({ port }) => until(() => seesAll(port))));
      const places = sentinels.map(({ port }) => `127.0.0.1:${port}`);
      const url = `redis+sentinel://${places.join(',')}/${name}`;
      return { ...primary, url, primary, replica, stop, failedOver: () => until(() => isPrimary(replica.port)) };
    } catch (error) {
      await stop();
      throw error;
    }
  });
}

type Start = (port: number, args: readonly string[]) => Promise<RedisProcess>;

/** Starts a primary and a replica, and waits until they are linked: sentinels learn of a replica from its primary. */
async function startPair(folder: string, start: Start): Promise<readonly [RedisProcess, RedisProcess]> {
  const args = [...serverArguments(folder), '--repl-diskless-sync-delay', '0'];
  const primary = await start(await freePort(), args);
  const replica = await start(await freePort(), [...args, '--replicaof', '127.0.0.1', String(primary.port)]);
  await until(async () => (await told(replica.port, 'INFO', 'replication')).includes('master_link_status:up'));
  return [primary, replica];
}

async function sentinelConfig(folder: string, at: number, port: number, downAfterMs: number): Promise<string> {
  const file = path.join(folder, `sentinel-${at}.conf`);
  const lines = [
    'bind 127.0.0.1',
    `dir "${folder}"`,
    `sentinel monitor ${name} 127.0.0.1 ${port} ${quorum}`,
    `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
    `sentinel failover-timeout ${name} 3000`,
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

async function seesAll(port: number): Promise<boolean> {
  const words = (await told(port, 'SENTINEL', 'MASTER', name)).split(',');
  const fact = (word: string) => words[words.indexOf(word) + 1];
  return fact('num-slaves') === '1' && fact('num-other-sentinels') === '2';
}

/** True for a primary. A failed query counts as no: sentinels close the connections of the server that they promote. */
async function isPrimary(port: number): Promise<boolean> {
  const said = await told(port, 'INFO', 'replication').catch(() => '');
  return said.includes('role:master');
}
