import type { ModeName } from '../../modes.js';
import { judgeRun } from '../../simulator/checker/judge-run.js';
import type { JudgedRun } from '../../simulator/checker/verdict/verdict.js';
import type { Plan } from '../../simulator/plan/plan.js';
import type { Scenario } from '../../simulator/scenario/scenario.js';
import { type SimulateOptions, simulate } from '../../simulator/simulate.js';
import { runWithSecondTry, type TriedRun } from './second-try.js';

export interface RunChoices extends Pick<SimulateOptions, 'storeUrls' | 'signal' | 'onProgress'> {
  readonly modes: readonly ModeName[];
  readonly repeat: number;
  /** Called when a run has finished. The next run waits for it. */
  onRun(tried: TriedRun): Promise<void>;
  onSecondTry(mode: ModeName): void;
}

export interface ScenarioRuns {
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
