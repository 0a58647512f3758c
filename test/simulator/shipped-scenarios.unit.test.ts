import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { modeGroups, modeNames } from '#src/modes.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import { type Expectation, evaluate, parseLine } from '#src/simulator/checker/verdict/expectations.js';
import { makePlan, planDurationMs } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { expectationsOf, type FaultSpec, type Scenario } from '#src/simulator/scenario/scenario.js';
import { scenarioJsonSchema } from '#src/simulator/scenario/schema.js';
import { findings } from './judged.js';

const folder = path.resolve(import.meta.dirname, '../../../scenarios');
const files = readdirSync(folder).filter(name => name.endsWith('.yaml'));
const textOf = (file: string) => readFileSync(path.join(folder, file), 'utf8');

/** The findings of a run in which every user kept everything. */
const nothingHappened: Findings = {
  ...findings,
  users: { ...findings.users, loggedOut: 0, loggedOutHard: 0, silentlyReset: 0, flickered: 0 },
  writes: { ...findings.writes, lost: 0, unknown: 0, stale: 0, recovered: 0 },
  requests: { ...findings.requests, ok: findings.requests.planned, failed: 0, unknown: 0, bad: 0 },
  noSession: { ...findings.noSession, unknown: 0, forged: 0 },
  stores: { evictions: 0 },
};

/** Faults that break nothing in a good system, as does the loss of one of two proxies. The system itself confirms that
 * they took place, or the run is inconclusive. */
const harmless = ['rotate-secrets', 'scale-out'];
const isHarmless = ({ do: action, target }: FaultSpec) => harmless.includes(action) || target === 'proxy-1';

/** Whether no mode of the scenario tells a backend who has logged out. The scenario must then expect exactly that. */
const unlearned = (scenario: Scenario) =>
  scenario.modes.every(mode => expected(scenario, mode).some(({ text }) => text === 'users.logoutNotHonoured > 0'));

const logoutLine = (scenario: Scenario) =>
  unlearned(scenario) ? 'users.logoutNotHonoured > 0' : 'users.logoutNotHonoured == 0';

/** Whether the journey has the step. Without it, an expectation about the step is rejected, because it cannot fail. */
const canDo = ({ users: { journey } }: Scenario, kind: 'logout' | 'remove') =>
  journey === 'shop' || journey[kind] !== undefined;

/** Expectations that a scenario may omit. A backend that takes a session for one from the future cannot end it. */
const excused: Readonly<Record<string, string>> = { 'clock-skew sealed': 'users.logoutNotHonoured == 0' };

describe('shipped scenarios', () => {
  it('include all that the documentation names', () => {
    expect(files).to.include.members([
      'blocked-backend.yaml',
      'clock-skew.yaml',
      'cookie-overflow.yaml',
      'drain-one.yaml',
      'erroring-backend.yaml',
      'eviction.yaml',
      'flapping-backend.yaml',
      'hang-one.yaml',
      'kill-one.yaml',
      'logout-race.yaml',
      'memcached-outage.yaml',
      'memcached-two-nodes.yaml',
      'parallel-tabs.yaml',
      'partition-one-way.yaml',
      'partition-one.yaml',
      'postgres-async.yaml',
      'postgres-outage.yaml',
      'redis-aof.yaml',
      'redis-failover-sentinel.yaml',
      'redis-failover-trap.yaml',
      'redis-failover.yaml',
      'redis-full-lru.yaml',
      'redis-full-noeviction.yaml',
      'redis-outage.yaml',
      'redis-pause.yaml',
      'redis-power-cut.yaml',
      'redis-rdb-stop.yaml',
      'redis-rdb.yaml',
      'split-brain.yaml',
      'refresh-outage.yaml',
      'proxy-kill.yaml',
      'replace-secrets.yaml',
      'reset-answers.yaml',
      'revocation-partition.yaml',
      'rolling-restart.yaml',
      'rotate-secrets.yaml',
      'scale-in.yaml',
      'scale-out.yaml',
      'slow-backend.yaml',
      'store-hang.yaml',
      'store-partition.yaml',
      'truncate-answers.yaml',
      'two-proxies.yaml',
    ]);
  });

  for (const file of files) {
    describe(file, () => {
      const scenario = parseScenario(textOf(file), file);

      it('has the name of its file and points editors to the schema', () => {
        expect(`${scenario.name}.yaml`).to.equal(file);
        expect(textOf(file)).to.match(/^# yaml-language-server: \$schema=\.\/scenario\.schema\.json\n/);
      });

      it('has a reason', () => {
        expect(scenario.why.length).to.be.greaterThan(40);
      });

      it('lasts a few seconds, with a few hundred to a few thousand requests', () => {
        // A rollout starts each backend in turn, and its recovery is judged after the last one.
        const isRollout = scenario.faults.some(fault => fault.do === 'deploy');
        expect(planDurationMs(scenario) + scenario.phases.quiesceMs).to.be.at.most(isRollout ? 14_000 : 10_500);
        const steps = makePlan(scenario, scenario.seed).users.flatMap(user => user.steps).length;
        expect(steps).to.be.within(500, 3000);
      });

      it('leaves users time to write before the first fault', () => {
        const before = scenario.phases.warmupMs + scenario.phases.baselineMs;
        const written = makePlan(scenario, scenario.seed)
          .users.flatMap(user => user.steps)
          .filter(({ atMs, kind }) => kind === 'add' && atMs < before);
        expect(written.length).to.be.greaterThan(30);
      });

      it('expects in every mode that no user sees data of others', () => {
        for (const mode of scenario.modes)
          expect([...expectationsOf(scenario, mode), excused[`${scenario.name} ${mode}`]]).to.include.members([
            'users.identitySwapped == 0',
            ...(canDo(scenario, 'logout') ? [logoutLine(scenario)] : []),
            'writes.phantom == 0',
            'writes.duplicated == 0',
          ]);
      });

      it('limits resurrected items in each of its modes', () => {
        if (!canDo(scenario, 'remove')) return;
        for (const mode of scenario.modes) {
          const lines = expected(scenario, mode).map(({ text }) => text);
          expect(lines.join('\n'), mode).to.match(/^writes\.resurrected (?:== 0|< )/m);
        }
      });

      it('expects something about lost sessions and lost writes in each of its modes', () => {
        for (const mode of scenario.modes) {
          const lines = expected(scenario, mode).map(({ text }) => text);
          expect(lines.join('\n'), mode).to.match(/users\.loggedOut.*\n[\s\S]*writes\.lost/);
        }
      });

      if (!scenario.faults.some(isHarmless))
        it('fails in at least one mode if nothing broke', () => {
          const failing = scenario.modes.filter(mode => unmet(scenario, mode, nothingHappened).length > 0);
          expect(failing, 'all expectations hold without the fault: add one that only its effect meets').to.not.be
            .empty;
        });

      it('fails in each of its modes if all writes are lost', () => {
        const { writes } = findings;
        const allLost = { ...findings, writes: { ...writes, lost: writes.acknowledged } };
        for (const mode of scenario.modes)
          expect(unmetOf(scenario, mode, allLost, 'writes.lost'), mode).to.not.be.empty;
      });

      it('fails if all users are logged out, except in modes that expect that of most users', () => {
        const { users } = findings;
        const allOut = { ...findings, users: { ...users, loggedOut: users.total } };
        for (const mode of scenario.modes.filter(mode => !logsMostOut(scenario, mode)))
          expect(unmetOf(scenario, mode, allOut, 'users.loggedOut'), mode).to.not.be.empty;
      });
    });
  }
});

function unmet(scenario: Scenario, mode: (typeof modeNames)[number], measured: Findings): Expectation[] {
  return expected(scenario, mode).filter(expectation => !evaluate(expectation, measured).met);
}

/** Returns the unmet expectations about one metric. */
function unmetOf(scenario: Scenario, mode: (typeof modeNames)[number], measured: Findings, metric: string) {
  return unmet(scenario, mode, measured).filter(expectation => expectation.metric === metric);
}

function logsMostOut(scenario: Scenario, mode: (typeof modeNames)[number]): boolean {
  return expected(scenario, mode).some(
    ({ metric, operator, number, percent }) =>
      metric === 'users.loggedOut' && operator === '>=' && percent && number >= 50,
  );
}

/** Returns the expectations that can fail a run, so it leaves out warnings. Those about a window are compared with the
 * whole run. */
function expected(scenario: Scenario, mode: (typeof modeNames)[number]): Expectation[] {
  return expectationsOf(scenario, mode)
    .map(parseLine)
    .filter(({ level }) => level !== 'warn');
}

describe('scenario.schema.json', () => {
  it('is what the reader checks', () => {
    const committed: unknown = JSON.parse(textOf('scenario.schema.json'));
    expect(committed, 'It is out of date. Type: npm run schema').to.deep.equal(scenarioJsonSchema());
  });

  it('offers the modes to editors', () => {
    const names = JSON.stringify([...modeNames, ...Object.keys(modeGroups)]);
    expect(JSON.stringify(scenarioJsonSchema())).to.include(names);
  });
});
