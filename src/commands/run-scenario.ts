import type { ModeName } from '../modes.js';
import type { JudgedRun } from '../simulator/checker/verdict.js';
import type { Plan } from '../simulator/plan.js';
import { makePlan } from '../simulator/plan.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { type SimulateOptions, simulate } from '../simulator/simulate.js';
import { judgeRun } from './judge-run.js';

export interface RunChoices extends Pick<SimulateOptions, 'storeUrls' | 'signal' | 'onProgress'> {
  readonly modes: readonly ModeName[];
  readonly seed: number;
  /** Instead of the one that the seed gives. */
  readonly plan?: Plan;
  readonly repeat: number;
}

/** One plan, run once per mode and repeat, one after the other; each run checked and judged. */
export async function runScenario(scenario: Scenario, choices: RunChoices): Promise<{ plan: Plan; runs: JudgedRun[] }> {
  const plan = choices.plan ?? makePlan(scenario, choices.seed);
  const runs: JudgedRun[] = [];
  for (const mode of choices.modes) {
    for (let turn = 0; turn < choices.repeat; turn += 1) {
      const run = await simulate(scenario, mode, plan, choices);
      runs.push(judgeRun(run));
    }
  }
  return { plan, runs };
}
