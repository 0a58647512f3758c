import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import { parseLine } from '#src/simulator/checker/verdict/expectations.js';
import { makePlan, planDurationMs } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { buildShortForm, type Scenario } from '#src/simulator/scenario/scenario.js';

const folder = packageFile('scenarios');
const files = readdirSync(folder).filter(name => name.endsWith('.yaml'));

describe('the short form of a shipped scenario', () => {
  for (const file of files) {
    it(`${file}: keeps system, faults and every expectation, with fewer users in less time`, async () => {
      const scenario = await readScenario(path.join(folder, file));
      const short = buildShortForm(scenario);
      expect(short.faults).to.deep.equal(scenario.faults);
      expect(short.system).to.deep.equal(scenario.system);
      expect(short.expect).to.deep.equal(scenario.expect);
      expect(planDurationMs(short)).to.be.at.most(planDurationMs(scenario));
      if (scenario.faults.length === 0) return;
      expect(makePlan(short, 1).users.length).to.be.within(1, 30);
      expect(short.phases.recoveryMs).to.equal(Math.min(2400, scenario.phases.recoveryMs));
    });
  }
});

describe('the short form of arrivals', () => {
  it('keeps arrivals after the baseline', async () => {
    const scenario = await readScenario(path.join(folder, 'scale-out.yaml'));
    const { warmupMs, baselineMs } = scenario.phases;
    const afterBaselineMs = scenario.users.arrivals.forMs - warmupMs - baselineMs;
    expect(afterBaselineMs).to.be.greaterThan(0);
    expect(buildShortForm(scenario).users.arrivals.forMs).to.equal(200 + 700 + afterBaselineMs);
  });
});

describe('the short form of an expectation', () => {
  const phases = { warmupMs: 1000, baselineMs: 2000, faultsMs: 4000, recoveryMs: 4800, quiesceMs: 400 };
  const shortOf = async (...any: Scenario['expect']['any']) => {
    const scenario = await readScenario(path.join(folder, 'redis-outage.yaml'));
    return buildShortForm({ ...scenario, phases, expect: { any, redis: any } }).expect;
  };

  it('is unchanged for losses, requests, percentages, windows, reasons and warnings', async () => {
    const any = [
      'users.loggedOut >= 90 %',
      'writes.lost == 0',
      'requests.failed < 1 %',
      'requests.ok > 100',
      'serviceMs.max < 1000',
      'noSession.unknown > 0',
      'requests.failed during recovery == 0',
      'requests.bad during outage > 0',
      { warn: 'writes.stale == 0' },
    ];
    expect(await shortOf(...any)).to.deep.equal({ any, redis: any });
  });

  // Warmup 1 s -> 200 ms, baseline 2 s -> 700 ms, faults unchanged, recovery 4.8 s -> 2.4 s, quiesce 400 -> 200 ms.
  for (const [window, moved] of [
    ['0s..1s', '0ms..200ms'],
    ['500ms..2s', '100ms..550ms'],
    ['1s..3s', '200ms..900ms'],
    ['3s..7s', '900ms..4900ms'],
    ['4.5s..9.2s', '2400ms..6000ms'],
    ['7s..11.8s', '4900ms..7300ms'],
    ['12s..13.2s', '7400ms..8500ms'],
    ['1ms..2ms', '0ms..1ms'],
  ] as const) {
    it(`moves the window ${window} to ${moved}`, async () => {
      const { any, redis } = await shortOf(`requests.failed during ${window} < 1 %`, {
        warn: `requests.bad  during  ${window} == 0`,
      });
      expect(any).to.deep.equal([
        `requests.failed during ${moved} < 1 %`,
        { warn: `requests.bad  during ${moved} == 0` },
      ]);
      expect(redis).to.deep.equal(any);
      for (const line of any) expect(() => parseLine(line)).not.to.throw();
    });
  }
});
