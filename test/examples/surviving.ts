import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import { check } from '#src/simulator/checker/check.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';
import { simulate } from '#src/simulator/simulate.js';
import { leavingNothing } from '../simulator/processes.js';
import type { Compared } from './four-scenarios.js';

export const examples = packageFile('examples');

/**
 * Runs a scenario with two of its three backends and half of its users. Returns what was found, without the verdict,
 * which a busy machine could make inconclusive.
 */
export function findIn(file: string, command?: string) {
  return leavingNothing(async () => {
    const scenario = halve(await readScenario(path.join(examples, file)));
    const { signal } = new AbortController();
    const changed = command === undefined ? scenario : replaceCommand(scenario, command);
    const run = await simulate(changed, 'redis', makePlan(changed, changed.seed), {
      onProgress: () => undefined,
      signal,
    });
    return { run, findings: check(run) };
  });
}

function halve(scenario: Scenario): Scenario {
  const { system, users } = scenario;
  const arrivals = { ...users.arrivals, ratePerSecond: users.arrivals.ratePerSecond / 2 };
  return {
    ...scenario,
    system: { ...system, backends: { ...system.backends, count: 2 } },
    users: { ...users, arrivals },
  };
}

function replaceCommand(scenario: Scenario, command: string): Scenario {
  const { system } = scenario;
  const { own } = system.backends;
  if (own === undefined) return expect.fail('the scenario starts no app');
  return { ...scenario, system: { ...system, backends: { ...system.backends, own: { ...own, command } } } };
}

/** Redis hangs for at least 2 s in these scenarios. An app that waits for it answers later than that. */
const hangMs = 2_000;

export function expectNothingLost({ run, findings }: Compared): void {
  for (const fault of run.faults) expect(fault.confirmedMs, fault.problem).to.be.a('number');
  const { users, writes } = findings;
  expect(users.loggedOut + users.logoutNotHonoured + users.identitySwapped).to.equal(0);
  expect(writes.lost + writes.phantom + writes.duplicated + writes.resurrected).to.equal(0);
  expect(writes.acknowledged).to.be.greaterThan(100);
}

export function itSurvives(file: string): void {
  it(`${file} survives a killed process, parallel tabs, late adds at the logout and a hanging Redis`, async () => {
    const found = await findIn(file);
    expectNothingLost(found);
    expect(found.findings.serviceMs.max).to.be.lessThan(hangMs);
  });
}
