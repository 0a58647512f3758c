import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { quoteForShell } from '../../../shared/text.js';
import { amongNumbers, map, megabytes, oneOf } from '../../scenario/values.js';
import type { ShopCounts } from '../cluster.js';
import { answersWith } from '../probe.js';
import type { ProcessSpec } from '../processes/process-member.js';
import { findTool } from '../processes/run-program.js';
import { buildReplicaOf, configFile, infoField, isReplicating, withRedis } from '../redis-client.js';
import { buildSingleShape, defineStoreServer, type StorePlace, type StoreShape } from '../store-server.js';

const primary = 'redis.primary';

export interface RedisSpec {
  readonly replicas: number;
  /** Above 0, the backends ask the sentinels for the primary. With 0, their links are retargeted when it moves. */
  readonly sentinels: number;
  /** `aof`: append-only file with an fsync each second. `rdb`: snapshots at the default times of Redis. */
  readonly persistence: 'none' | 'aof' | 'rdb';
  /** The memory limit in MB. Undefined: no limit. */
  readonly memoryMb: number | undefined;
  readonly eviction: 'noeviction' | 'allkeys-lru';
}

const schema = map('system.redis', {
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

async function versionOf(program: string): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 5_000 });
  return { [path.basename(program).replace('-server', '')]: /v=(\S+)/.exec(stdout)?.[1] ?? stdout.trim() };
}

/** Builds the shape of a primary with its replicas and sentinels. */
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
    // An inline PING needs no Redis client.
    answers: (withinMs, at = port) =>
      answersWith(at, 'PING\r\n', answer => answer.toString().startsWith('+PONG'), withinMs),
    ...(isSentinel ? {} : { counts: () => evictionsOf(port) }),
    remedy: `${quoteForShell(program)} --port ${port}   (run it by hand to see its output)`,
  };
}

async function evictionsOf(port: number): Promise<ShopCounts> {
  const info = await withRedis(port, redis => redis.info('stats'));
  return { evictions: Number(infoField(info, 'evicted_keys')) };
}

async function placeOf(name: string, { portOf, directoryOf }: StorePlace<RedisSpec>): Promise<Process> {
  return { name, port: portOf(name), directory: await directoryOf(name) };
}

/** Returns the spec of a server with data: the only one, the primary, or a replica of the server at `primaryPort`. */
async function specOfDataServer(
  program: string,
  name: string,
  place: StorePlace<RedisSpec>,
  primaryPort?: number,
): Promise<ProcessSpec> {
  const its = await placeOf(name, place);
  const role = primaryPort === undefined ? [] : [buildReplicaOf(primaryPort)];
  return specOf(program, its, await writeConfig(its, [...buildDataConfig(place.spec), ...role]));
}

async function specsOfSentinels(
  program: string,
  names: readonly string[],
  place: StorePlace<RedisSpec>,
): Promise<ProcessSpec[]> {
  const sentinels = names.map(name => ({ port: place.portOf(name), id: randomBytes(20).toString('hex'), name }));
  const replicaPorts = buildGroupShape(place.spec).replications.map(([, to]) => place.portOf(to));
  const watched = { primaryPort: place.portOf(primary), replicaPorts, sentinels };
  return Promise.all(
    sentinels.map(async ({ name, id }) => {
      const its = await placeOf(name, place);
      return specOf(program, its, await writeConfig(its, buildSentinelConfig(watched, id)), '--sentinel');
    }),
  );
}

/** Returns whether every replica replicates, and every sentinel sees the primary, all replicas and all sentinels. */
async function isWhole({ spec, portOf }: StorePlace<RedisSpec>): Promise<boolean> {
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

/** Redis keeps data on disk only if the scenario says so: by default a kill loses all data. */
function shapeOf(spec: RedisSpec): StoreShape {
  return spec.replicas === 0 ? buildSingleShape('redis') : buildGroupShape(spec);
}

export const redis = defineStoreServer({
  schema: schema.prefault({}),
  specOf: ({ memory, ...settings }): RedisSpec => ({ ...settings, memoryMb: memory }),
  memberSettings: [
    [/^redis\.(?:primary|replica-\d+)$/, 'redis.replicas'],
    [/^redis\.sentinel-\d+$/, 'redis.sentinels'],
  ],
  shape: shapeOf,
  async prepare(place) {
    const { spec } = place;
    const program = findTool('redis');
    const versions = await versionOf(program);
    const { members, replications } = shapeOf(spec);
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
});

/** Name of the primary in the sentinels. Backends ask for it by this name. */
const primaryName = 'main';
const quorum = 2;
/** Time until the first sentinel calls the primary down, and the step for each further one. If all started an election
 * at the same moment, none might be elected. */
const downAfterMs = 500;
const downAfterStepMs = 150;
/**
 * Time after which the sentinels connect a replica directly to the primary, past any link between the two. No scenario
 * lasts that long. After the same time they retry a failed failover.
 */
const failoverTimeoutMs = 60_000;

interface RedisPlace {
  readonly directory: string;
  readonly port: number;
}

/**
 * Writes the configuration file of one member and returns its path. A file is used instead of flags because sentinels
 * and promotions write the current role into it. The member restarts with that role.
 */
async function writeConfig({ directory, port }: RedisPlace, lines: readonly string[]): Promise<string> {
  const file = path.join(directory, configFile);
  const common = ['bind 127.0.0.1', 'protected-mode yes', `port ${port}`, `dir "${directory}"`];
  await writeFile(file, `${[...common, ...lines].join('\n')}\n`, { mode: 0o600 });
  return file;
}

/** Returns the configuration of a server with data. `rdb`: it saves at the default times of Redis, and at SIGTERM. */
function buildDataConfig({ persistence, memoryMb, eviction }: RedisSpec): readonly string[] {
  return [
    ...(persistence === 'rdb' ? [] : ['save ""']),
    ...(persistence === 'aof' ? ['appendonly yes', 'appendfsync everysec'] : []),
    ...(memoryMb === undefined ? [] : [`maxmemory ${memoryMb}mb`, `maxmemory-policy ${eviction}`]),
    // The default makes it wait five seconds for further replicas.
    'repl-diskless-sync-delay 0',
  ];
}

interface SentinelGroup {
  readonly primaryPort: number;
  readonly replicaPorts: readonly number[];
  readonly sentinels: readonly { readonly port: number; readonly id: string }[];
}

/** Returns the configuration of a sentinel. It names replicas and other sentinels: discovery would take seconds. */
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
