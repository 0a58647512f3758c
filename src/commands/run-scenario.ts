import type { ModeName } from '../modes.js';
import type { Plan } from '../simulator/plan.js';
import { makePlan } from '../simulator/plan.js';
import type { OnProgress } from '../simulator/progress.js';
import type { Scenario } from '../simulator/scenario.js';
import { simulate } from '../simulator/simulate.js';
import type { JudgedRun } from '../simulator/verdict.js';
import { judgeRun } from './judge-run.js';

export interface RunChoices {
  readonly modes: readonly ModeName[];
  readonly seed: number;
  readonly repeat: number;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

/** One plan, run once per mode and repeat, one after the other; each run checked and judged. */
export async function runScenario(scenario: Scenario, choices: RunChoices): Promise<{ plan: Plan; runs: JudgedRun[] }> {
  const plan = makePlan(scenario, choices.seed);
  const runs: JudgedRun[] = [];
  for (const mode of choices.modes) {
    for (let turn = 0; turn < choices.repeat; turn += 1) {
      const run = await simulate(scenario, mode, plan, { onProgress: choices.onProgress, signal: choices.signal });
      runs.push(judgeRun(run));
    }
  }
  return { plan, runs };
}
