import type { RunRecord } from '../history/records.js';
import { check } from './check.js';
import { checkInThreads } from './check-in-threads.js';
import type { Findings } from './findings.js';
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
