import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { ModeName } from '#src/modes.js';
import { check } from '#src/simulator/checker/check.js';
import { judge, type Verdict } from '#src/simulator/checker/verdict/verdict.js';
import type { ListedRun } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { buildShortForm, listApplicableModes, type Scenario } from '#src/simulator/scenario/scenario.js';
import { type Cell, liars } from './liars.js';
import { runInMemory } from './run-in-memory.js';

export type Form = 'full' | 'short';

/** A scenario, in one of its forms, and a mode in which it can run. */
export interface Pair {
  readonly form: Form;
  readonly scenario: Scenario;
  readonly mode: ModeName;
}

/** The results of every liar in one scenario and mode. */
export interface CellResult {
  readonly form: Form;
  readonly scenario: string;
  readonly mode: ModeName;
  readonly honest: Verdict;
  /** The verdicts by the name of the liar. Undefined when its lie is not possible here. */
  readonly verdicts: Readonly<Record<string, Verdict | undefined>>;
}

const folder = path.resolve(import.meta.dirname, '../../../../scenarios');

let shipped: Scenario[] | undefined;

/** Returns every shipped scenario, sorted by name. Only the first call reads them. */
function shippedScenarios(): Scenario[] {
  shipped ??= readScenarios();
  return shipped;
}

function readScenarios(): Scenario[] {
  const files = readdirSync(folder).filter(name => name.endsWith('.yaml'));
  return files.sort().map(file => parseScenario(readFileSync(path.join(folder, file), 'utf8'), file));
}

/** Lists every shipped scenario in each mode in which it can run. */
export function pairsOf(form: Form): Pair[] {
  return shippedScenarios().flatMap(whole => {
    const scenario = form === 'full' ? whole : buildShortForm(whole);
    return listApplicableModes(whole).map(mode => ({ form, scenario, mode }));
  });
}

/** Runs all liars in a scenario and mode. */
export async function tellLies({ form, scenario, mode }: Pair): Promise<CellResult> {
  const plan = makePlan(scenario, scenario.seed);
  const honest = await runInMemory(scenario, mode, plan);
  const feigned = scenario.faults.length === 0 ? undefined : await runInMemory(scenario, mode, plan, { feigned: true });
  const cell: Cell = { honest, feigned, timeoutMs: scenario.users.timeoutMs };
  const verdicts = Object.entries(liars).map(([name, { lie }]) => {
    const run = lie(cell);
    return [name, run && verdictOn(run)] as const;
  });
  const told = { honest: verdictOn(honest), verdicts: Object.fromEntries(verdicts) };
  return { form, scenario: scenario.name, mode, ...told };
}

function verdictOn(run: ListedRun): Verdict {
  return judge(run, check(run));
}
