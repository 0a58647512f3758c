import { checkInThreads } from '../simulator/check-in-threads.js';
import { check } from '../simulator/checker/check.js';
import { type JudgedRun, judge } from '../simulator/checker/verdict.js';
import type { RunRecord } from '../simulator/history/records.js';

/** The same of a run that may be too long for one thread. */
export async function judgeLongRun(run: RunRecord): Promise<JudgedRun> {
  const findings = await checkInThreads(run);
  return { run, findings, verdict: judge(run, findings) };
}

/** A run just made, or one read from a file: checked and judged in the same way. */
export function judgeRun(run: RunRecord): JudgedRun {
  const findings = check(run);
  return { run, findings, verdict: judge(run, findings) };
}
