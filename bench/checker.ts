import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { check } from '#src/simulator/checker/check.js';
import { checkInThreads } from '#src/simulator/checker/judge-run.js';
import { judge } from '#src/simulator/checker/verdict/verdict.js';
import { writeHistory } from '#src/simulator/history/file.js';
import { openHistory } from '#src/simulator/history/open-history.js';
import { makeHistory, streamHistory } from './made-history.js';

/**
 * Measures how fast the checker is.
 *
 *   node dist/bench/checker.js [users, default 10000] [operations per user, default 100]
 *       checks a history in memory. Goal: 1,000,000 operations in at most 1 s and 1 GB.
 *   node dist/bench/checker.js --file [users, default 100000] [operations per user, default 100]
 *       reads and checks a history file in a separate process. Goal: 10,000,000 operations in at most 15 s and 3 GB on
 *       two cores. The temporary file takes 0.4 GB per million operations.
 */

/** CPU time in 100 ms of an idle process. */
const idleMsMax = 5;

type Row = readonly [name: string, value: string];

function print(rows: readonly Row[]): void {
  for (const [name, value] of rows) console.log(`${name.padEnd(14)}${value}`);
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024).toLocaleString('en')} MB`;
}

function cpuSeconds(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}

/** Collects the garbage of making the history, so that the checker does not pay for it. V8 collects in threads, so this
 * waits until the process is idle. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  for (let busyMs = idleMsMax + 1; busyMs > idleMsMax; ) {
    const before = process.cpuUsage();
    await sleep(100);
    busyMs = cpuSeconds(before) * 1000;
  }
}

async function checkInMemory(users: number, operationsPerUser: number): Promise<void> {
  const run = makeHistory({ users, operationsPerUser });
  await collectGarbage();
  const historyBytes = process.memoryUsage().heapUsed;
  const cpuBefore = process.cpuUsage();
  const beforeMs = performance.now();
  const findings = check(run);
  const seconds = (performance.now() - beforeMs) / 1000;
  const cpu = cpuSeconds(cpuBefore);
  const addedBytes = process.memoryUsage().heapUsed - historyBytes;
  print([
    ['operations', run.operations.length.toLocaleString('en')],
    ['users', users.toLocaleString('en')],
    ['seconds', seconds.toFixed(2)],
    ['CPU seconds', `${cpu.toFixed(2)}, garbage collection on all cores included`],
    ['operations/s', Math.round(run.operations.length / seconds).toLocaleString('en')],
    ['history', megabytes(historyBytes)],
    ['added to it', `${megabytes(addedBytes)} of heap, what is no longer needed included`],
    ['peak memory', `${megabytes(peakBytes())} of the process, mostly from making the history`],
    ['found', `${findings.users.loggedOut} users logged out, ${findings.writes.lost} writes lost`],
  ]);
}

function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

async function checkInFile(users: number, operationsPerUser: number): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-checker-'));
  try {
    const file = path.join(folder, 'history.ndjson');
    await writeHistory(file, [streamHistory({ users, operationsPerUser })]);
    print([
      ['users', users.toLocaleString('en')],
      ['file', megabytes((await stat(file)).size)],
    ]);
    const child = fork(import.meta.filename, ['--read', file]);
    const [code] = await once(child, 'exit');
    if (code !== 0) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function readAndCheck(file: string): Promise<void> {
  const beforeMs = performance.now();
  const [run] = await openHistory(file);
  if (run === undefined) throw new Error('the file holds no run');
  const [readMs, readCpu, readBytes] = [performance.now() - beforeMs, cpuSeconds(), peakBytes()];
  const findings = await checkInThreads(run);
  judge(run, findings);
  const seconds = (performance.now() - beforeMs) / 1000;
  const [cpu, readSeconds] = [cpuSeconds(), readMs / 1000];
  print([
    ['operations', run.operations.length.toLocaleString('en')],
    [
      'seconds',
      `${seconds.toFixed(2)}: reading ${readSeconds.toFixed(2)}, checking ${(seconds - readSeconds).toFixed(2)}`,
    ],
    ['CPU seconds', `${cpu.toFixed(2)}: reading ${readCpu.toFixed(2)}, checking ${(cpu - readCpu).toFixed(2)}`],
    ['operations/s', Math.round(run.operations.length / seconds).toLocaleString('en')],
    ['peak memory', `${megabytes(peakBytes())} of the process; after reading ${megabytes(readBytes)}`],
    ['found', `${findings.users.loggedOut} users logged out, ${findings.writes.lost} writes lost`],
  ]);
}

const [first = '', ...rest] = process.argv.slice(2);
if (first === '--read') await readAndCheck(rest[0] ?? '');
else if (first === '--file') await checkInFile(Number(rest[0] ?? 100_000), Number(rest[1] ?? 100));
else await checkInMemory(Number(first || 10_000), Number(rest[0] ?? 100));
