import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { packageFile } from '../package-file.js';
import type { Band } from './checker/band.js';
import { check, findingsOf, percentilesIn, prepareCheck } from './checker/check.js';
import type { Findings } from './checker/findings.js';
import { type PassCounts, UserPass } from './checker/user-pass.js';
import { JoinedTables, type Share } from './history/joined-tables.js';
import type { TableParts } from './history/operation-table.js';
import type { RunRecord } from './history/records.js';

/** What a thread needs to judge its users, beside the band: that comes as a message while the thread starts. */
export interface CheckShare {
  /** Without operations. */
  readonly run: RunRecord;
  readonly tables: readonly TableParts[];
  readonly share: Share;
}

const threadsMax = 4;

/** Finds what `check` finds. The users of a history that `openHistory` keeps outside the heap are judged by several threads. */
export async function checkInThreads(
  run: RunRecord,
  threads = Math.min(threadsMax, availableParallelism()),
): Promise<Findings> {
  const { operations } = run;
  if (!(operations instanceof JoinedTables)) return check(run);
  const workers = Array.from({ length: threads }, (_, number) =>
    startWorker({ run: { ...run, operations: [] }, tables: operations.parts, share: { number, of: threads } }),
  );
  try {
    const preparation = prepareCheck(run);
    const shares = workers.map(worker => judgeUsers(worker, preparation.band));
    const times = percentilesIn(preparation);
    const pass = new UserPass(run, preparation.band);
    for (const counts of await Promise.all(shares)) pass.add(counts);
    return findingsOf(run, preparation, times, pass);
  } finally {
    for (const worker of workers) void worker.terminate();
  }
}

function startWorker(share: CheckShare): Worker {
  return new Worker(packageFile('dist/simulator/check-worker.js'), { workerData: share });
}

function judgeUsers(worker: Worker, band: Band): Promise<PassCounts> {
  worker.postMessage(band);
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that judged users ended early')));
  });
}
