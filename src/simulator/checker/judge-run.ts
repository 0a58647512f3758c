import { availableParallelism } from 'node:os';
import { JoinedTables, Thread, type UserShare } from '../history/open-history.js';
import type { TableParts } from '../history/operation-table.js';
import type { RunRecord } from '../history/records.js';
import { check, findingsOf, percentilesIn, prepareCheck } from './check.js';
import type { Findings } from './findings.js';
import { dropsOf, joinLoads, type PlannedLoad } from './load.js';
import { type PassCounts, UserPass } from './users/user-pass.js';
import { type JudgedRun, judge } from './verdict/verdict.js';

/** Checks and judges a run, just made or read from a file. */
export function judgeRun(run: RunRecord): JudgedRun {
  return withVerdict(run, check(run));
}

/** Checks and judges a run that may be too long for one thread. */
export async function judgeLongRun(run: RunRecord): Promise<JudgedRun> {
  return withVerdict(run, await checkInThreads(run));
}

function withVerdict(run: RunRecord, findings: Findings): JudgedRun {
  return { run, findings, verdict: judge(run, findings) };
}

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
  count = Math.min(threadsMax, availableParallelism()),
): Promise<Findings> {
  const { operations } = run;
  if (!(operations instanceof JoinedTables)) return check(run);
  const threads = Array.from({ length: count }, (_, number) =>
    startThread({ run: { ...run, operations: [] }, tables: operations.parts, share: { number, of: count } }),
  );
  try {
    const loads = await Promise.all(threads.map(thread => thread.receive<PlannedLoad>()));
    const preparation = prepareCheck(run, joinLoads(loads, dropsOf(run.lab)));
    for (const thread of threads) thread.send(preparation.band);
    const shares = threads.map(thread => thread.receive<PassCounts>());
    const times = percentilesIn(preparation);
    const pass = new UserPass(run, preparation.band);
    for (const counts of await Promise.all(shares)) pass.add(counts);
    return findingsOf(run, preparation, times, pass);
  } finally {
    for (const thread of threads) thread.stop();
  }
}

function startThread(share: CheckShare): Thread {
  return new Thread('dist/simulator/checker/check-worker.js', share);
}
