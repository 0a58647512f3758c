import { check } from '../../simulator/checker/check.js';
import { checkInThreads } from '../../simulator/checker/check-in-threads.js';
import { type JudgedRun, judge, type Verdict } from '../../simulator/checker/verdict/verdict.js';
import type { RunRecord } from '../../simulator/history/records.js';

/** The run that counts, and the other try of a run that was tried twice. */
export interface TriedRun {
  readonly judged: JudgedRun;
  readonly other?: { readonly which: 'firstTry' | 'secondTry'; readonly judged: JudgedRun };
  /** Why the second try did not finish. The first try counts then. */
  readonly failure?: unknown;
}

/** Decides whether to try a run again because the machine was busy. Pure. A fail is final, because it was observed. */
export function needsSecondTry({ word, machineWasBusy }: Verdict): boolean {
  return machineWasBusy === true && word !== 'fail';
}

/** Chooses the try that counts. Pure. It is the second one, unless only the second one is inconclusive. */
export function chooseTry(first: JudgedRun, second: JudgedRun): TriedRun {
  const isWorse = second.verdict.word === 'inconclusive' && first.verdict.word !== 'inconclusive';
  return isWorse
    ? { judged: first, other: { which: 'secondTry', judged: second } }
    : { judged: second, other: { which: 'firstTry', judged: first } };
}

/** Runs once, and again when the machine was too busy. Rejects when the first try rejects. */
export async function runWithSecondTry(runOnce: () => Promise<JudgedRun>, onSecondTry: () => void): Promise<TriedRun> {
  const first = await runOnce();
  if (!needsSecondTry(first.verdict)) return { judged: first };
  onSecondTry();
  try {
    return chooseTry(first, await runOnce());
  } catch (failure) {
    return { judged: first, failure };
  }
}

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
