import { checkInThreads } from '../simulator/check-in-threads.js';
import { check } from '../simulator/checker/check.js';
import { type JudgedRun, judge } from '../simulator/checker/verdict.js';
import type { RunRecord } from '../simulator/history/records.js';

/** Checks and judges a run that may be too long for one thread. */
export async function judgeLongRun(run: RunRecord): Promise<JudgedRun> {
  const findings = await checkInThreads(run);
  return { run, findings, verdict: judge(run, findings) };
}

/** Checks and judges a run, just made or read from a file. */
export function judgeRun(run: RunRecord): JudgedRun {
  const findings = check(run);
  return { run, findings, verdict: judge(run, findings) };
}
