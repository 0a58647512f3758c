import type { ModeName } from '../../modes.js';
import { judgeRun } from '../../simulator/checker/judge-run.js';
import type { JudgedRun, Verdict } from '../../simulator/checker/verdict/verdict.js';
import type { Plan } from '../../simulator/plan/plan.js';
import type { Scenario } from '../../simulator/scenario/scenario.js';
import { type SimulateOptions, simulate } from '../../simulator/simulate.js';

export interface RunChoices extends Pick<SimulateOptions, 'storeUrls' | 'signal' | 'onProgress'> {
  readonly modes: readonly ModeName[];
  readonly repeat: number;
  /** Called when a run has finished. The next run waits for it. */
  onRun(tried: TriedRun): Promise<void>;
  onSecondTry(mode: ModeName): void;
}

interface ScenarioRuns {
  readonly runs: readonly TriedRun[];
  /** Why some runs did not take place: the lab failed, the user stopped it, or a file could not be written. */
  readonly failure?: unknown;
}

/** Makes one run and judges it. Tests replace it. */
export type RunOnce = (mode: ModeName) => Promise<JudgedRun>;

/** Runs one plan once per mode and repeat, one after the other. A failure stops it and keeps the finished runs. */
export function runScenario(scenario: Scenario, plan: Plan, choices: RunChoices): Promise<ScenarioRuns> {
  return runInOrder(async mode => judgeRun(await simulate(scenario, mode, plan, choices)), choices);
}

export async function runInOrder(
  runOnce: RunOnce,
  { modes, repeat, onRun, onSecondTry }: Omit<RunChoices, 'signal' | 'onProgress'>,
): Promise<ScenarioRuns> {
  const runs: TriedRun[] = [];
  try {
    for (const mode of modes) {
      for (let turn = 0; turn < repeat; turn += 1) {
        const tried = await runWithSecondTry(
          () => runOnce(mode),
          () => onSecondTry(mode),
        );
        runs.push(tried);
        await onRun(tried);
        if (tried.failure !== undefined) return { runs, failure: tried.failure };
      }
    }
    return { runs };
  } catch (failure) {
    return { runs, failure };
  }
}

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

/** Chooses the try that counts: the second one, unless only the second one is inconclusive. */
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
