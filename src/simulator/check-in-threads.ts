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

/** What a thread needs to judge its users. */
export interface CheckShare {
  /** Without operations. */
  readonly run: RunRecord;
  readonly band: Band;
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
  const preparation = prepareCheck(run);
  const { band } = preparation;
  const shares = Array.from({ length: threads }, (_, number) =>
    startChecking({ run: { ...run, operations: [] }, band, tables: operations.parts, share: { number, of: threads } }),
  );
  const times = percentilesIn(preparation);
  const pass = new UserPass(run, band);
  for (const counts of await Promise.all(shares)) pass.add(counts);
  return findingsOf(run, preparation, times, pass);
}

function startChecking(share: CheckShare): Promise<PassCounts> {
  const worker = new Worker(packageFile('dist/simulator/check-worker.js'), { workerData: share });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that judged users ended early')));
  });
}
