import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { configFile } from '../../replication.js';
import type { RedisSpec } from '../../stores-spec.js';

/** By this name the sentinels know the primary, and backends ask them for it. */
export const primaryName = 'main';
const quorum = 2;
/** One after the other, or they might all stand for election at the same moment, and none be elected. */
const downAfterMs = 500;
const apartMs = 150;
/**
 * After so long the sentinels lead a replica to the primary itself, past any link between the two: no scenario lasts
 * that long. It is also when they try again after a failover that failed.
 */
const failoverTimeoutMs = 60_000;

export interface RedisPlace {
  readonly directory: string;
  readonly port: number;
}

/**
 * Each member has a configuration file of its own and not a command line: what becomes of its role is written there, by
 * sentinels or by whoever promotes, and it is started again with it. Answers with the file.
 */
export async function writeConfig({ directory, port }: RedisPlace, lines: readonly string[]): Promise<string> {
  const file = path.join(directory, configFile);
  const common = ['bind 127.0.0.1', 'protected-mode yes', `port ${port}`, `dir "${directory}"`];
  await writeFile(file, `${[...common, ...lines].join('\n')}\n`, { mode: 0o600 });
  return file;
}

/** Of a server that keeps something. `rdb`: saved at the times that Redis has by default, and when it is asked to end. */
export function keeping({ persistence, memoryMb, eviction }: RedisSpec): readonly string[] {
  return [
    ...(persistence === 'rdb' ? [] : ['save ""']),
    ...(persistence === 'aof' ? ['appendonly yes', 'appendfsync everysec'] : []),
    ...(memoryMb === undefined ? [] : [`maxmemory ${memoryMb}mb`, `maxmemory-policy ${eviction}`]),
    // Otherwise it waits five seconds for further replicas that want the same.
    'repl-diskless-sync-delay 0',
  ];
}

export interface SentinelGroup {
  readonly primaryPort: number;
  readonly replicaPorts: readonly number[];
  readonly sentinels: readonly { readonly port: number; readonly id: string }[];
}

/** They are told of each other and of the replicas, what they would find out within seconds. */
export function watching(group: SentinelGroup, id: string): readonly string[] {
  const others = group.sentinels.filter(sentinel => sentinel.id !== id);
  const nth = group.sentinels.findIndex(sentinel => sentinel.id === id);
  return [
    `sentinel myid ${id}`,
    `sentinel monitor ${primaryName} 127.0.0.1 ${group.primaryPort} ${quorum}`,
    `sentinel down-after-milliseconds ${primaryName} ${downAfterMs + nth * apartMs}`,
    `sentinel failover-timeout ${primaryName} ${failoverTimeoutMs}`,
    ...group.replicaPorts.map(port => `sentinel known-replica ${primaryName} 127.0.0.1 ${port}`),
    ...others.map(other => `sentinel known-sentinel ${primaryName} 127.0.0.1 ${other.port} ${other.id}`),
  ];
}
