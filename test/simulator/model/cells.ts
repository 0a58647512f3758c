import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { ModeName } from '#src/modes.js';
import { check } from '#src/simulator/checker/check.js';
import { judge, type Verdict } from '#src/simulator/checker/verdict/verdict.js';
import type { ListedRun } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { listApplicableModes, type Scenario } from '#src/simulator/scenario/scenario.js';
import { buildShortForm } from '#src/simulator/scenario/short-form.js';
import { type Cell, liars } from './liars.js';
import { runInMemory } from './run-in-memory.js';

export type Form = 'full' | 'short';

/** The results of every liar in one scenario and mode. */
export interface CellResult {
  readonly scenario: string;
  readonly mode: ModeName;
  readonly honest: Verdict;
  /** The verdicts by the name of the liar. Undefined when its lie is not possible here. */
  readonly verdicts: Readonly<Record<string, Verdict | undefined>>;
}

const folder = path.resolve(import.meta.dirname, '../../../../scenarios');

/** Reads every shipped scenario, sorted by name. */
export function shippedScenarios(): Scenario[] {
  const files = readdirSync(folder).filter(name => name.endsWith('.yaml'));
  return files.sort().map(file => parseScenario(readFileSync(path.join(folder, file), 'utf8'), file));
}

/** Runs all liars in every shipped scenario and in each mode in which it can run. */
export async function tellAllLies(form: Form): Promise<CellResult[]> {
  const results: CellResult[] = [];
  for (const shipped of shippedScenarios()) {
    const scenario = form === 'full' ? shipped : buildShortForm(shipped);
    for (const mode of listApplicableModes(shipped)) results.push(await tellLies(scenario, mode));
  }
  return results;
}

async function tellLies(scenario: Scenario, mode: ModeName): Promise<CellResult> {
  const plan = makePlan(scenario, scenario.seed);
  const honest = await runInMemory(scenario, mode, plan);
  const feigned = scenario.faults.length === 0 ? undefined : await runInMemory(scenario, mode, plan, { feigned: true });
  const cell: Cell = { honest, feigned, timeoutMs: scenario.users.timeoutMs };
  const verdicts = Object.entries(liars).map(([name, { lie }]) => {
    const run = lie(cell);
    return [name, run && verdictOn(run)] as const;
  });
  return { scenario: scenario.name, mode, honest: verdictOn(honest), verdicts: Object.fromEntries(verdicts) };
}

function verdictOn(run: ListedRun): Verdict {
  return judge(run, check(run));
}
