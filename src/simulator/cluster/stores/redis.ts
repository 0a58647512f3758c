import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { LabError } from '../../errors.js';
import { answersWith } from '../ask.js';
import type { ShopCounts } from '../cluster.js';
import type { ProcessSpec } from '../processes/process-member.js';
import { findProgram } from '../processes/run-program.js';
import { buildReplicaOf, configFile, infoField, isReplicating, withRedis } from '../redis-client.js';
import {
  buildSingleShape,
  type RedisSpec,
  type StorePlace,
  type StoreServer,
  type StoreShape,
} from '../store-server.js';

const primary = 'redis.primary';

/** The absolute path of a Redis or Valkey server. */
function findRedis(): string {
  const found = findProgram(['redis-server', 'valkey-server']);
  if (found !== undefined) return found;
  throw new LabError(
    [
      'redis-server is missing: neither redis-server nor valkey-server is on PATH. Install one:',
      '  Debian, Ubuntu: apt-get install redis-server',
      '  macOS:          brew install redis',
      '  Fedora:         dnf install valkey',
      '  Alpine:         apk add redis',
    ].join('\n'),
  );
}

async function versionOf(program: string): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 5_000 });
  return { [path.basename(program).replace('-server', '')]: /v=(\S+)/.exec(stdout)?.[1] ?? stdout.trim() };
}

/** A primary with its replicas, and who watches over them. */
function buildGroupShape({ replicas, sentinels }: RedisSpec): StoreShape {
  const replicaNames = numberNames('redis.replica', replicas);
  return {
    members: [primary, ...replicaNames, ...numberNames('redis.sentinel', sentinels)],
    addresses: sentinels > 0 ? [] : ['redis'],
    replications: replicaNames.map(name => [primary, name] as const),
    moves: sentinels === 0,
  };
}

function numberNames(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);
}

interface Process {
  readonly name: string;
  readonly directory: string;
  readonly port: number;
}

function specOf(program: string, { name, directory, port }: Process, file: string, ...args: string[]): ProcessSpec {
  const isSentinel = args.includes('--sentinel');
  return {
    name,
    role: 'store',
    port,
    command: program,
    args: [file, ...args],
    env: {},
    directory,
    // PING as an inline command, which spares the lab a client.
    answers: (withinMs, at = port) =>
      answersWith(at, 'PING\r\n', answer => answer.toString().startsWith('+PONG'), withinMs),
    ...(isSentinel ? {} : { counts: () => evictionsOf(port) }),
    remedy: `${program} --port ${port}   (by hand, to see what it says)`,
  };
}

async function evictionsOf(port: number): Promise<ShopCounts> {
  const info = await withRedis(port, redis => redis.info('stats'));
  return { evictions: Number(infoField(info, 'evicted_keys')) };
}

async function placeOf(name: string, { portOf, directoryOf }: StorePlace): Promise<Process> {
  return { name, port: portOf(name), directory: await directoryOf(name) };
}

/** A server that keeps something: the only one, the primary, or a replica that is fed at `primaryPort`. */
async function specOfDataServer(
  program: string,
  name: string,
  place: StorePlace,
  primaryPort?: number,
): Promise<ProcessSpec> {
  const its = await placeOf(name, place);
  const role = primaryPort === undefined ? [] : [buildReplicaOf(primaryPort)];
  return specOf(program, its, await writeConfig(its, [...buildDataConfig(place.spec.redis), ...role]));
}

async function specsOfSentinels(program: string, names: readonly string[], place: StorePlace): Promise<ProcessSpec[]> {
  const sentinels = names.map(name => ({ port: place.portOf(name), id: randomBytes(20).toString('hex'), name }));
  const replicaPorts = buildGroupShape(place.spec.redis).replications.map(([, to]) => place.portOf(to));
  const watched = { primaryPort: place.portOf(primary), replicaPorts, sentinels };
  return Promise.all(
    sentinels.map(async ({ name, id }) => {
      const its = await placeOf(name, place);
      return specOf(program, its, await writeConfig(its, buildSentinelConfig(watched, id)), '--sentinel');
    }),
  );
}

/** Every replica is fed, and every sentinel sees the primary, all replicas and the other sentinels. */
async function isWhole({ spec: { redis: spec }, portOf }: StorePlace): Promise<boolean> {
  const { members, replications } = buildGroupShape(spec);
  const sentinels = members.slice(1 + spec.replicas);
  const fed = replications.map(([, to]) => isReplicating(portOf(to)));
  const seeing = sentinels.map(name => seesAll(portOf(name), spec));
  return (await Promise.all([...fed, ...seeing])).every(Boolean);
}

async function seesAll(port: number, { replicas, sentinels }: RedisSpec): Promise<boolean> {
  const info = await withRedis(port, redis => redis.info('sentinel')).catch(() => '');
  const seen = `name=${primaryName},status=ok,address=[^,]*,slaves=${replicas},sentinels=${sentinels}`;
  return new RegExp(`${seen}\\b`).test(info);
}

/** On disk only where the scenario says so: by default what it held is gone when it dies. */
export const redis: StoreServer = {
  shape: ({ redis: spec }) => (spec.replicas === 0 ? buildSingleShape('redis') : buildGroupShape(spec)),
  async prepare(place) {
    const { redis: spec } = place.spec;
    const program = findRedis();
    const versions = await versionOf(program);
    const { members, replications } = redis.shape(place.spec);
    const first = await specOfDataServer(program, members[0], place);
    const url = (seen: typeof place.portOf) => `redis://127.0.0.1:${seen('redis')}`;
    if (spec.replicas === 0) return { steps: [[first]], url, versions };
    const replicas = await Promise.all(
      replications.map(([from, to]) => specOfDataServer(program, to, place, place.feedPort(from, to))),
    );
    const sentinels = members.slice(1 + spec.replicas);
    const steps = [[first], [...replicas, ...(await specsOfSentinels(program, sentinels, place))]];
    const places = sentinels.map(name => `127.0.0.1:${place.portOf(name)}`);
    return {
      steps,
      isWhole: () => isWhole(place),
      url: sentinels.length === 0 ? url : () => `redis+sentinel://${places.join(',')}/${primaryName}`,
      versions,
    };
  },
};

/** By this name the sentinels know the primary, and backends ask them for it. */
const primaryName = 'main';
const quorum = 2;
/** One after the other, or they might all stand for election at the same moment, and none be elected. */
const downAfterMs = 500;
const downAfterStepMs = 150;
/**
 * After so long the sentinels lead a replica to the primary itself, past any link between the two: no scenario lasts
 * that long. It is also when they try again after a failover that failed.
 */
const failoverTimeoutMs = 60_000;

interface RedisPlace {
  readonly directory: string;
  readonly port: number;
}

/**
 * Each member has a configuration file of its own and not a command line: what becomes of its role is written there, by
 * sentinels or by whoever promotes, and it is started again with it. Answers with the file.
 */
async function writeConfig({ directory, port }: RedisPlace, lines: readonly string[]): Promise<string> {
  const file = path.join(directory, configFile);
  const common = ['bind 127.0.0.1', 'protected-mode yes', `port ${port}`, `dir "${directory}"`];
  await writeFile(file, `${[...common, ...lines].join('\n')}\n`, { mode: 0o600 });
  return file;
}

/** Of a server that keeps something. `rdb`: saved at the times that Redis has by default, and when it is asked to end. */
function buildDataConfig({ persistence, memoryMb, eviction }: RedisSpec): readonly string[] {
  return [
    ...(persistence === 'rdb' ? [] : ['save ""']),
    ...(persistence === 'aof' ? ['appendonly yes', 'appendfsync everysec'] : []),
    ...(memoryMb === undefined ? [] : [`maxmemory ${memoryMb}mb`, `maxmemory-policy ${eviction}`]),
    // Otherwise it waits five seconds for further replicas that want the same.
    'repl-diskless-sync-delay 0',
  ];
}

interface SentinelGroup {
  readonly primaryPort: number;
  readonly replicaPorts: readonly number[];
  readonly sentinels: readonly { readonly port: number; readonly id: string }[];
}

/** They are told of each other and of the replicas, what they would find out within seconds. */
function buildSentinelConfig(group: SentinelGroup, id: string): readonly string[] {
  const others = group.sentinels.filter(sentinel => sentinel.id !== id);
  const nth = group.sentinels.findIndex(sentinel => sentinel.id === id);
  return [
    `sentinel myid ${id}`,
    `sentinel monitor ${primaryName} 127.0.0.1 ${group.primaryPort} ${quorum}`,
    `sentinel down-after-milliseconds ${primaryName} ${downAfterMs + nth * downAfterStepMs}`,
    `sentinel failover-timeout ${primaryName} ${failoverTimeoutMs}`,
    ...group.replicaPorts.map(port => `sentinel known-replica ${primaryName} 127.0.0.1 ${port}`),
    ...others.map(other => `sentinel known-sentinel ${primaryName} 127.0.0.1 ${other.port} ${other.id}`),
  ];
}
