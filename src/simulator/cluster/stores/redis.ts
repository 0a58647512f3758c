import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { LabError } from '../../errors.js';
import { answersWith } from '../ask.js';
import type { Counts } from '../cluster.js';
import type { ProcessSpec } from '../process-member.js';
import { findProgram } from '../program-path.js';
import { infoField, isFed, withRedis } from '../redis-client.js';
import { following } from '../replication.js';
import { alone, type StorePlace, type StoreServer, type StoreShape } from '../store-server.js';
import type { RedisSpec } from '../stores-spec.js';
import { keeping, primaryName, watching, writeConfig } from './redis/config-file.js';

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
function group({ replicas, sentinels }: RedisSpec): StoreShape {
  const replicaNames = numbered('redis.replica', replicas);
  return {
    members: [primary, ...replicaNames, ...numbered('redis.sentinel', sentinels)],
    addresses: sentinels > 0 ? [] : ['redis'],
    feeds: replicaNames.map(name => [primary, name] as const),
    moves: sentinels === 0,
  };
}

function numbered(name: string, count: number): string[] {
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

async function evictionsOf(port: number): Promise<Counts> {
  const info = await withRedis(port, redis => redis.info('stats'));
  return { evictions: Number(infoField(info, 'evicted_keys')) };
}

async function placeOf(name: string, { portOf, directoryOf }: StorePlace): Promise<Process> {
  return { name, port: portOf(name), directory: await directoryOf(name) };
}

/** A server that keeps something: the only one, the primary, or a replica that is fed at `feedPort`. */
async function keeper(program: string, name: string, place: StorePlace, feedPort?: number): Promise<ProcessSpec> {
  const its = await placeOf(name, place);
  const role = feedPort === undefined ? [] : [following(feedPort)];
  return specOf(program, its, await writeConfig(its, [...keeping(place.spec.redis), ...role]));
}

async function watchers(program: string, names: readonly string[], place: StorePlace): Promise<ProcessSpec[]> {
  const sentinels = names.map(name => ({ port: place.portOf(name), id: randomBytes(20).toString('hex'), name }));
  const replicaPorts = group(place.spec.redis).feeds.map(([, to]) => place.portOf(to));
  const watched = { primaryPort: place.portOf(primary), replicaPorts, sentinels };
  return Promise.all(
    sentinels.map(async ({ name, id }) => {
      const its = await placeOf(name, place);
      return specOf(program, its, await writeConfig(its, watching(watched, id)), '--sentinel');
    }),
  );
}

/** Every replica is fed, and every sentinel sees the primary, all replicas and the other sentinels. */
async function isWhole({ spec: { redis: spec }, portOf }: StorePlace): Promise<boolean> {
  const { members, feeds } = group(spec);
  const sentinels = members.slice(1 + spec.replicas);
  const fed = feeds.map(([, to]) => isFed(portOf(to)));
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
  shape: ({ redis: spec }) => (spec.replicas === 0 ? alone('redis') : group(spec)),
  async prepare(place) {
    const { redis: spec } = place.spec;
    const program = findRedis();
    const versions = await versionOf(program);
    const { members, feeds } = redis.shape(place.spec);
    const first = await keeper(program, members[0], place);
    const url = (seen: typeof place.portOf) => `redis://127.0.0.1:${seen('redis')}`;
    if (spec.replicas === 0) return { steps: [[first]], url, versions };
    const replicas = await Promise.all(feeds.map(([from, to]) => keeper(program, to, place, place.feedPort(from, to))));
    const sentinels = members.slice(1 + spec.replicas);
    const steps = [[first], [...replicas, ...(await watchers(program, sentinels, place))]];
    const places = sentinels.map(name => `127.0.0.1:${place.portOf(name)}`);
    return {
      steps,
      isWhole: () => isWhole(place),
      url: sentinels.length === 0 ? url : () => `redis+sentinel://${places.join(',')}/${primaryName}`,
      versions,
    };
  },
};
