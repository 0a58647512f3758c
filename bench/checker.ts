import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { check } from '#src/simulator/checker/check.js';
import { madeHistory } from './made-history.js';

/**
 * How fast the checker is: `node dist/bench/checker.js [users, default 10000] [operations a user, default 100]`.
 * The goal: 1,000,000 operations of 10,000 users in at most 1 s, grouping by user included.
 */

const users = Number(process.argv[2] ?? 10_000);
const operationsPerUser = Number(process.argv[3] ?? 100);
/** Of CPU in 100 ms. */
const idleMsMax = 5;

/** What making the history left behind is not the checker's to sweep up: V8 does it in threads of its own, and so long
 * the process is not idle. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  for (let busyMs = idleMsMax + 1; busyMs > idleMsMax; ) {
    const before = process.cpuUsage();
    await sleep(100);
    const { user, system } = process.cpuUsage(before);
    busyMs = (user + system) / 1000;
  }
}

const run = madeHistory({ users, operationsPerUser });
await collectGarbage();
const historyBytes = process.memoryUsage().heapUsed;
const cpuBefore = process.cpuUsage();
const beforeMs = performance.now();
const findings = check(run);
const seconds = (performance.now() - beforeMs) / 1000;
const cpu = process.cpuUsage(cpuBefore);
const megabytes = (bytes: number) => `${Math.round(bytes / 1024 / 1024).toLocaleString('en')} MB`;
const addedBytes = process.memoryUsage().heapUsed - historyBytes;
const peakBytes = process.resourceUsage().maxRSS * 1024;
const rows: readonly (readonly [string, string])[] = [
  ['operations', run.operations.length.toLocaleString('en')],
  ['users', users.toLocaleString('en')],
  ['seconds', seconds.toFixed(2)],
  ['CPU seconds', `${((cpu.user + cpu.system) / 1e6).toFixed(2)}, garbage collection on all cores included`],
  ['operations/s', Math.round(run.operations.length / seconds).toLocaleString('en')],
  ['history', megabytes(historyBytes)],
  ['added to it', `${megabytes(addedBytes)} of heap, what is no longer needed included`],
  ['peak memory', `${megabytes(peakBytes)} of the process, mostly from making the history`],
  ['found', `${findings.users.loggedOut} users logged out, ${findings.writes.lost} writes lost`],
];
for (const [name, value] of rows) console.log(`${name.padEnd(14)}${value}`);
