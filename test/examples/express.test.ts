import path from 'node:path';
import { expect } from 'chai';
import type { ModeName } from '#src/modes.js';
import { check } from '#src/simulator/checker/check.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { simulate } from '#src/simulator/simulate.js';
import { leavingNothing } from '../simulator/processes.js';

const folder = path.resolve(import.meta.dirname, '../../../examples/express');

/** One run, shortened: what is found in it, without the verdict, which a busy machine could make inconclusive. */
function found(file: string, mode: ModeName, phases: object) {
  return leavingNothing(async () => {
    const scenario = await readScenario(path.join(folder, file));
    const short = { ...scenario, phases: { ...scenario.phases, ...phases } };
    const { signal } = new AbortController();
    const run = await simulate(short, mode, makePlan(short, short.seed), { onProgress: () => undefined, signal });
    return { run, findings: check(run) };
  });
}

describe('examples/express', () => {
  it('with the MemoryStore of express-session loses the sessions of a killed process', async () => {
    const { run, findings } = await found('memory-store.yaml', 'sticky', { baselineMs: 1_000, recoveryMs: 800 });
    expect(run.faults[0]?.confirmedMs, run.faults[0]?.problem).to.be.a('number');
    expect(findings.users.loggedOut).to.be.within(1, findings.users.total - 1);
    expect(findings.writes.lost).to.be.greaterThan(0);
    expect(findings.users.identitySwapped + findings.writes.phantom).to.equal(0);
    const answered = run.operations.filter(({ outcome }) => outcome === 'ok').map(({ backend }) => backend);
    expect([...new Set(answered)].toSorted()).to.deep.equal(['backend-1', 'backend-2', 'backend-3']);
  });

  it('with connect-redis logs no user out, and loses items that two tabs add at once', async () => {
    const { findings } = await found('connect-redis-tabs.yaml', 'redis', { baselineMs: 800, recoveryMs: 500 });
    expect(findings.users.loggedOut).to.equal(0);
    expect(findings.writes.lost).to.be.greaterThan(0);
    expect(findings.writes.lost).to.be.lessThan(findings.writes.acknowledged / 2);
  });
});
