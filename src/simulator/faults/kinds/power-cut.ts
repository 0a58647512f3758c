import { readdir, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterMember } from '../../cluster/cluster.js';
import { bringBack, portRefuses } from '../../cluster/probe.js';
import { serverOf } from '../../cluster/stores/registry.js';
import { askedEffect, askedInWords, defineFault } from '../fault.js';

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
