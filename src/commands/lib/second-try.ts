import type { JudgedRun, Verdict } from '../../simulator/checker/verdict/verdict.js';

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
