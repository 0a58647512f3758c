import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { packageFile } from '../../shared/package-file.js';
import { JoinedTables, type UserShare } from '../history/joined-tables.js';
import type { TableParts } from '../history/operation-table.js';
import type { RunRecord } from '../history/records.js';
import { check, findingsOf, percentilesIn, prepareCheck } from './check.js';
import type { Findings } from './findings.js';
import { type Band, dropsOf, joinLoads, type PlannedLoad } from './load.js';
import { type PassCounts, UserPass } from './users/user-pass.js';

/** The input of a thread, except the band, which it gets later. */
export interface CheckShare {
  /** The run without its operations. */
  readonly run: RunRecord;
  readonly tables: readonly TableParts[];
  readonly share: UserShare;
}

const threadsMax = 4;

/**
 * Returns the same findings as `check`. Several threads judge the users of a history that `openHistory` keeps outside
 * the heap:
 *
 *     thread                                   this one
 *     the load of its share of the operations  ->  the load of the run, its band
 *     its users, grouped                       <-  the band
 *     what its users suffered                  ->  the findings
 */
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
    const loads = await Promise.all(workers.map(worker => receiveFrom<PlannedLoad>(worker)));
    const preparation = prepareCheck(run, joinLoads(loads, dropsOf(run.lab)));
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
  return new Worker(packageFile('dist/simulator/checker/check-worker.js'), { workerData: share });
}

function judgeUsers(worker: Worker, band: Band): Promise<PassCounts> {
  worker.postMessage(band);
  return receiveFrom(worker);
}

/** Resolves with the next message of the thread. Rejects if the thread ends first. */
function receiveFrom<Answer>(worker: Worker): Promise<Answer> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('a thread of the checker ended early')));
  });
}
