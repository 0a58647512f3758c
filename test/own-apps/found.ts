import path from 'node:path';
import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';
import { simulate } from '#src/simulator/simulate.js';
import { leavingNothing } from '../simulator/processes.js';

export const folder = path.resolve(import.meta.dirname, '../../../test/own-apps');

const defects = [
  ['graphql', 'drop-adds', 'lost'],
  ['bearer', 'keep-token', 'logoutNotHonoured'],
  ['pages', 'keep-id', 'sessionKept'],
] as const;

/** The apps, each with its scenario, a defect to plant, and the counter that finds it. */
export const apps = defects.map(([app, defect, harm]) => {
  return { app, file: path.join(folder, `${app}.yaml`), defect, harm };
});

/** One run: what is found in it, without the verdict, which a busy machine could make inconclusive. */
export async function found(scenario: Scenario, env: Readonly<Record<string, string>> = {}): Promise<Findings> {
  const { backends } = scenario.system;
  const system = { ...scenario.system, backends: { ...backends, env: { ...backends.env, ...env } } };
  const { signal } = new AbortController();
  const plan = makePlan(scenario, scenario.seed);
  return check(await simulate({ ...scenario, system }, 'redis', plan, { onProgress: () => undefined, signal }));
}

export const short = { warmupMs: 200, baselineMs: 800, faultsMs: 0, recoveryMs: 700, quiesceMs: 100 };

/** Returns the scenario without its fault, with one backend: a wrong app also does harm when nothing breaks. */
function keepCalm(scenario: Scenario): Scenario {
  const { system } = scenario;
  const { backends } = system;
  return { ...scenario, system: { ...system, backends: { ...backends, count: 1 } }, faults: [], phases: short };
}

/** Returns the counters that are above 0, each with its value. A correct app has none. */
export function harmIn({ users, writes, guarantees }: Findings): string[] {
  const { loggedOut, identitySwapped, logoutNotHonoured, sessionKept } = users;
  const { lost, stale, phantom, failedVisible, duplicated, resurrected } = writes;
  const harm = { loggedOut, identitySwapped, logoutNotHonoured, sessionKept };
  const counts = { ...harm, lost, stale, phantom, failedVisible, duplicated, resurrected, ...guarantees };
  return Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [`${name} ${count}`]));
}

export function itIsSilent(file: string): void {
  it('is silent when the app is correct, although a process is killed', () =>
    leavingNothing(async () => {
      const findings = await found(await readScenario(file));
      expect(harmIn(findings)).to.deep.equal([]);
      expect(findings.writes.acknowledged).to.be.greaterThan(30);
    }));
}

export function itIsFound(file: string, defect: string, harm: string): void {
  it(`finds the planted defect "${defect}"`, () =>
    leavingNothing(async () => {
      const findings = await found(keepCalm(await readScenario(file)), { DEFECT: defect });
      expect(harmIn(findings).join(), 'found').to.match(new RegExp(`\\b${harm} [1-9]`));
    }));
}
