import { readdir, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterMember } from '../../cluster/cluster.js';
import { bringBack, portRefuses } from '../../cluster/probe.js';
import { serverOf } from '../../cluster/stores/registry.js';
import { askedEffect, askedInWords } from '../effects.js';
import { defineFault } from '../fault.js';

const exitWithinMs = 2_000;
/** Redis looks at the clock ten times a second, and calls fsync with the first write after each full second. */
const secondMs = 1_000;
const strikesAfterMs = 900;

/**
 * What SIGKILL cannot show: a process that dies leaves its writes to the kernel, a machine that dies takes along what no
 * fsync has brought to the disk. So the process is killed, and its append-only file cut back to the length that it had
 * at the last full second, which is what the fsync of that second has on disk for certain: at most a tenth of a second
 * more is taken than a real disk would have lost. It strikes right before the next one, when most is at stake.
 */
export const powerCut = defineFault({
  summary: 'SIGKILL of Redis, its AOF cut back to the last fsync; healed by a new start',
  targets: ['store'],
  options: {},
  effect: askedEffect,
  effectInWords: askedInWords,
  lacking: (target, { redis }) =>
    serverOf(target) === 'redis' && !target.includes('sentinel') && redis.persistence === 'aof'
      ? undefined
      : `found "${target}", expected a Redis with an append-only file, system.redis.persistence: aof`,
  make: target => {
    let struck = false;
    let cut: { readonly file: string; readonly fromBytes: number; readonly toBytes: number } | undefined;
    return {
      async inject(cluster) {
        const member = cluster.member(target);
        const file = await appendOnlyFile(member);
        await sleep(secondMs - (Date.now() % secondMs));
        const { size: toBytes } = await stat(file);
        await sleep(strikesAfterMs - (Date.now() % secondMs));
        struck = member.signal('SIGKILL');
        if ((await member.waitExit(exitWithinMs)) === undefined) return;
        const { size: fromBytes } = await stat(file);
        await truncate(file, toBytes);
        cut = { file, fromBytes, toBytes };
      },
      async confirm(cluster) {
        const member = cluster.member(target);
        if (!struck || cut === undefined || !(await portRefuses(member.port))) return false;
        const { file, fromBytes, toBytes } = cut;
        if (fromBytes === toBytes || (await stat(file)).size !== toBytes) return false;
        return `ended by SIGKILL; of the ${fromBytes} bytes of its file the ${toBytes} are left that were there at the last full second`;
      },
      async heal(cluster) {
        const member = cluster.member(target);
        if (struck) await member.waitExit(exitWithinMs);
        struck = false;
        await bringBack(cluster, member);
      },
    };
  },
});

/** The one that grows: since version 7 there is a folder of them. */
async function appendOnlyFile({ directory = '', name }: ClusterMember): Promise<string> {
  const files = await readdir(directory, { recursive: true });
  const grows =
    files.filter(file => /\.incr\.aof$/.test(file)).sort(byNumber)[0] ?? files.find(file => /\.aof$/.test(file));
  if (grows === undefined) throw new Error(`${name} has no append-only file`);
  return path.join(directory, grows);
}

/** The latest first: `appendonly.aof.12.incr.aof`. */
function byNumber(one: string, other: string): number {
  const number = (file: string) => Number(/\.(\d+)\.incr/.exec(file)?.[1]);
  return number(other) - number(one);
}
