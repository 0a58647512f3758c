import { appendFile, readdir, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, ClusterMember } from '../../cluster/cluster.js';
import { bringBack, portRefuses, silentForMs, waitReadmitted, waitUntil } from '../../cluster/probe.js';
import {
  answerWithinMs,
  buildReplicaOf,
  configFile,
  countDataCommands,
  follow,
  isReplicating,
  primaryOf,
  roleOf,
  withRedis,
} from '../../cluster/redis-client.js';
import { serverOf } from '../../cluster/stores/registry.js';
import { duration, names } from '../../scenario/values.js';
import { askedEffect, askedInWords, defineFault } from '../fault.js';

/** Faults of a Redis server: by its own commands, and the loss of what no fsync has written. */

const slackMs = 5_000;

/** Pauses Redis by its own command: connections and data stay, and nothing is answered. */
export const pause = defineFault({
  summary: 'CLIENT PAUSE: Redis answers nothing for a while, then all requests that have waited',
  doneInWords: 'was paused',
  targets: ['store'],
  options: {
    length: duration(1, '30s')
      .prefault('1s')
      .describe(
        'Length of the pause. It ends by itself, because a paused Redis does not even accept the command that ends a pause. It is healed when Redis answers.',
      )
      .meta({ examples: ['3s'] }),
  },
  effect: askedEffect,
  effectInWords: askedInWords,
  explainMissing: target =>
    serverOf(target) === 'redis' && !target.includes('sentinel')
      ? undefined
      : `found "${target}", expected a Redis with data: only it has CLIENT PAUSE`,
  make: (target, { length: lengthMs }) => ({
    async inject(cluster) {
      await withRedis(cluster.member(target).port, redis => redis.client('PAUSE', lengthMs, 'ALL'));
    },
    async confirm(cluster) {
      const member = cluster.member(target);
      // A dead server is silent too, but its port refuses connections.
      if ((await member.answers(silentForMs)) || (await portRefuses(member.port))) return false;
      return `no answer within ${silentForMs} ms on a port that takes connections`;
    },
    async heal(cluster) {
      await waitReadmitted(cluster, cluster.member(target), lengthMs + slackMs);
    },
  }),
});

const followWithinMs = 15_000;
const markerKey = 'holdfast-lab:promoted';

/**
 * Promotes a replica by hand, as an operator does when the primary is gone: REPLICAOF NO ONE. The other replicas follow
 * the new primary. The links of the backends are retargeted to it, as when a name or an address moves. An old primary
 * that still runs is not demoted: it still serves the clients that reach it. Healing makes it follow the new primary,
 * and the writes that it alone had acknowledged are lost.
 */
export const promote = defineFault({
  summary: 'a replica becomes the primary; healing makes the old primary follow it',
  doneInWords: 'was promoted',
  targets: ['store'],
  options: {
    'for-backends': names('backend', /^backend-[1-9]\d?$/)
      .optional()
      .describe(
        'Backends that use the new primary until the fault is healed; the others keep the old one (split brain). Default: all.',
      )
      .meta({ examples: [['backend-1']] }),
  },
  effect: askedEffect,
  effectInWords: 'the promoted server carried out commands on data between confirmation and healing',
  explainMissing(target, { redis, backends }, options) {
    if (primaryOf(target) === undefined)
      return `found "${target}", expected a replica such as redis.replica-1 to promote`;
    if (redis.sentinels > 0)
      return 'found sentinels, which promote a replica by themselves: remove the sentinels or this fault';
    const { count, spare = 0 } = backends;
    const strange = options['for-backends']?.find(name => Number(name.slice('backend-'.length)) > count + spare);
    return strange && `found "${strange}" in for-backends, expected one of ${count + spare} backends`;
  },
  make: (target, { 'for-backends': chosen }) => {
    let done = false;
    return {
      async inject(cluster) {
        const { port } = cluster.member(target);
        done = true;
        await withRedis(port, async redis => {
          await redis.replicaof('NO', 'ONE');
          await redis.config('REWRITE');
        });
        for (const member of otherMembers(cluster, target))
          if (member !== oldPrimaryOf(cluster, target)) await makeFollow(member, port);
        // If it started again before this fault is healed, it would still act as the primary.
        if (!oldPrimaryOf(cluster, target).isRunning) await makeFollow(oldPrimaryOf(cluster, target), port);
        retargetBackends(cluster, port, chosen);
      },
      async confirm(cluster) {
        const { port } = cluster.member(target);
        const role = await roleOf(port);
        const links = linksOf(cluster).filter(({ backend }) => chosen === undefined || chosen.includes(backend));
        if (role !== 'master' || links.length === 0) return false;
        for (const { link } of links) {
          await withRedis(link.port, redis => redis.set(markerKey, link.name, 'EX', 60));
          if ((await withRedis(port, redis => redis.get(markerKey))) !== link.name) return false;
        }
        const names = links.map(({ link }) => link.name).join(', ');
        return `ROLE answered ${role}, a write through ${names} reached it`;
      },
      // The commands of `confirm` came before. Upkeep commands of the lab are not counted.
      measure: cluster => countDataCommands(cluster.member(target).port),
      async heal(cluster) {
        if (!done) return;
        const { port } = cluster.member(target);
        const old = oldPrimaryOf(cluster, target);
        // Another fault that holds it down may be healed at the same time: wait for it.
        if (old.isRunning) await waitUntil(() => old.answers(answerWithinMs), followWithinMs);
        await makeFollow(old, port);
        retargetBackends(cluster, port, undefined);
        if (old.isRunning && !(await waitUntil(() => isReplicating(old.port), followWithinMs)))
          throw new Error(`${old.name} did not follow ${target} within ${followWithinMs} ms`);
        done = false;
      },
    };
  },
});

function oldPrimaryOf(cluster: Cluster, replica: string): ClusterMember {
  return cluster.member(primaryOf(replica) ?? replica);
}

function otherMembers(cluster: Cluster, target: string): ClusterMember[] {
  return cluster.members.filter(({ name }) => name !== target && /^redis\.(?:primary|replica)/.test(name));
}

/** Makes a member follow a primary: at once if it runs, otherwise through the configuration file of its next start. */
async function makeFollow(member: ClusterMember, primaryPort: number): Promise<void> {
  if (member.isRunning) return follow(member.port, primaryPort);
  await appendFile(path.join(member.directory ?? '', configFile), `${buildReplicaOf(primaryPort)}\n`);
}

function linksOf(cluster: Cluster) {
  const backends = cluster.members.filter(({ role }) => role === 'backend');
  return backends.map(({ name }) => ({ backend: name, link: cluster.link(`${name}->redis`) }));
}

function retargetBackends(cluster: Cluster, port: number, chosen: readonly string[] | undefined): void {
  for (const { backend, link } of linksOf(cluster))
    if (link.toPort !== port && (chosen === undefined || chosen.includes(backend))) link.retarget(port);
}

const exitWithinMs = 2_000;
/** Redis checks the clock ten times a second, and calls fsync with the first write after each full second. */
const secondMs = 1_000;
const strikesAfterMs = 900;

/**
 * Simulates a power failure, which SIGKILL cannot show. The kernel still writes the data of a killed process to disk; a
 * machine without power loses everything that no fsync has written. So the process is killed, and its append-only file
 * is truncated to its length at the last full second. The fsync of that second has certainly written so much. At most a
 * tenth of a second more is lost than with a real disk. The kill comes right before the next fsync, when most is
 * unsaved.
 */
export const powerCut = defineFault({
  summary: 'SIGKILL of Redis, and its AOF truncated to the last fsync; healing starts it again',
  doneInWords: 'lost its power',
  targets: ['store'],
  options: {},
  effect: askedEffect,
  effectInWords: askedInWords,
  explainMissing: (target, { redis }) =>
    serverOf(target) === 'redis' && !target.includes('sentinel') && redis.persistence === 'aof'
      ? undefined
      : `found "${target}", expected a Redis with an append-only file, system.redis.persistence: aof`,
  make: target => {
    let struck = false;
    let cut: { readonly file: string; readonly fromBytes: number; readonly toBytes: number } | undefined;
    return {
      async inject(cluster) {
        const member = cluster.member(target);
        await sleep(secondMs - (Date.now() % secondMs));
        // Redis starts a new file when it rewrites the log, for example as a new replica.
        const file = await findAppendOnlyFile(member);
        const { size: toBytes } = await stat(file);
        await sleep(strikesAfterMs - (Date.now() % secondMs));
        struck = await member.kill();
        if (!(await member.waitEnd(exitWithinMs))) return;
        const { size: fromBytes } = await stat(file);
        await truncate(file, toBytes);
        cut = { file, fromBytes, toBytes };
      },
      async confirm(cluster) {
        const member = cluster.member(target);
        if (!struck || cut === undefined || !(await portRefuses(member.port))) return false;
        const { file, fromBytes, toBytes } = cut;
        if (fromBytes === toBytes || (await stat(file)).size !== toBytes) return false;
        return `ended by SIGKILL; its file was truncated from ${fromBytes} bytes to ${toBytes}, its length at the last full second`;
      },
      async heal(cluster) {
        const member = cluster.member(target);
        if (struck) await member.waitEnd(exitWithinMs);
        struck = false;
        await bringBack(cluster, member);
      },
    };
  },
});

/** Returns the path of the append-only file that still grows. Since Redis 7 there is a folder with several. */
async function findAppendOnlyFile({ directory = '', name }: ClusterMember): Promise<string> {
  const files = await readdir(directory, { recursive: true });
  const grows =
    files.filter(file => /\.incr\.aof$/.test(file)).sort(compareNumbers)[0] ?? files.find(file => /\.aof$/.test(file));
  if (grows === undefined) throw new Error(`${name} has no append-only file`);
  return path.join(directory, grows);
}

/** Sorts the latest file first: `appendonly.aof.12.incr.aof`. */
function compareNumbers(one: string, other: string): number {
  const number = (file: string) => Number(/\.(\d+)\.incr/.exec(file)?.[1]);
  return number(other) - number(one);
}
