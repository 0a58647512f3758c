import path from 'node:path';
import { ScenarioError } from '../errors.js';
import { parseScenario, readScenarioText, scenarioIn } from '../scenario/file.js';
import { stepOf } from '../scenario/journey/mapping.js';
import type { Scenario } from '../scenario/scenario.js';
import { clean, isMap, nameOf, parseYaml, readTextFile } from '../scenario/yaml.js';
import { type Plan, planDurationMs } from './plan.js';
import { checkUsers, type PlanLimits, PlanProblem, planSchema, splitPlan, toScenarioFaults } from './plan-checks.js';

/** Largest plan file: a plan with the highest number of steps fits. */
export const planBytesMax = 192 * 1024 * 1024;

/** Returns the text of a plan file, which `readReplay` can read. */
export function writePlan(plan: Plan): string {
  return `${JSON.stringify({ schema: planSchema, ...plan })}\n`;
}

export interface Replay {
  /** The scenario, with the faults of the plan instead of its own. */
  readonly scenario: Scenario;
  readonly plan: Plan;
}

/**
 * Reads a plan that a run wrote (`plan.json`), to run it again even if the generator has changed since. Its users and
 * faults replace those that scenario and seed would give. Rejects with `ScenarioError`, which names the file, the key,
 * what was found and what was expected.
 */
export async function readReplay(scenarioFile: string, planFile: string): Promise<Replay> {
  const scenarioText = await readScenarioText(scenarioFile);
  const example = 'a plan such as reports/kill-one/latest/plan.json';
  const planText = await readTextFile(planFile, { bytesMax: planBytesMax, what: 'a plan', example });
  return parseReplay(scenarioText, scenarioFile, planText, planFile);
}

/** Parses a scenario and a plan for it. Throws `ScenarioError`. */
export function parseReplay(scenarioText: string, scenarioFile: string, planText: string, planFile: string): Replay {
  const original = parseScenario(scenarioText, scenarioFile);
  const written = parseYaml(scenarioText, scenarioFile).value;
  try {
    const parts = splitPlan(parseJson(planText));
    if (parts.scenario !== original.name) throw newScenarioProblem(parts.scenario, original.name);
    const scenario = replaceFaults(written, toScenarioFaults(parts.faults), path.dirname(scenarioFile));
    if (scenario.faults.length === 0 && original.faults.length > 0) throw newFaultsProblem(original);
    const { users } = parts;
    checkUsers(users, limitsOf(scenario));
    return { scenario, plan: { scenario: scenario.name, seed: Number(parts.seed), users, faults: scenario.faults } };
  } catch (error) {
    throw error instanceof PlanProblem ? new ScenarioError(`${planFile}:1: ${clean(error.message)}`) : error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PlanProblem(`found no JSON (${error instanceof Error ? error.message : error}), expected a plan`);
  }
}

function newScenarioProblem(found: unknown, name: string): PlanProblem {
  return new PlanProblem(`scenario: found a plan of ${JSON.stringify(found)}, expected one of "${name}"`);
}

/** Rejects a plan without faults: it would meet every expectation of surviving a fault, and prove nothing. */
function newFaultsProblem({ faults }: Scenario): PlanProblem {
  return new PlanProblem(
    `faults: found none, expected at least one fault of the scenario: ${faults.map(({ id }) => id).join(', ')}`,
  );
}

function replaceFaults(written: unknown, faults: readonly object[], folder: string): Scenario {
  const read = scenarioIn({ ...(isMap(written) ? written : {}), faults }, folder);
  if ('scenario' in read) return read.scenario;
  const [first, ...more] = read.problems;
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  throw new PlanProblem(`${nameOf(first?.path ?? [])}: ${first?.message}${others}`);
}

function limitsOf(scenario: Scenario): PlanLimits {
  const { journey } = scenario.users;
  const can: PlanLimits['can'] = kind => journey === 'shop' || stepOf(journey, kind) !== undefined;
  return { endMs: planDurationMs(scenario), can };
}
