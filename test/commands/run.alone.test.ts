/**
 * Whole runs whose verdicts count. They want the machine for themselves: beside other tests the driver would be late, and
 * a run whose driver is late is inconclusive, as it should be.
 */
import path from 'node:path';
import { expect } from 'chai';
import { type ModeName, modeNames } from '#src/modes.js';
import { fewAtOnce } from '../few-at-once.js';
import { root } from './holdfast.js';
import { type Finished, type Result, runScenario, short, written } from './ran.js';

/** Where there is something to see; all modes of all scenarios would take longer than anybody waits. Each mode under a
 * store that hangs or comes back empty is in store-outages.test.ts, every fault by itself in faults.test.ts; that no
 * shared mode loses a session to a killed backend is in shared-sessions.contract.ts. */
const shipped: Readonly<Record<string, readonly ModeName[]>> = {
  'kill-one': ['sticky', 'sealed'],
  'redis-failover': ['redis'],
  'postgres-outage': ['postgres'],
  'replace-secrets': ['jwt'],
  eviction: ['memcached'],
  'two-proxies': ['sticky'],
};

/** Something else wanted the machine for a moment. */
function isDisturbed({ result, text }: Finished): boolean {
  const isInconclusive = result.runs.some(({ verdict }) => verdict === 'inconclusive');
  return isInconclusive && /The driver itself was late|No processor was idle/.test(text);
}

/** A mode whose run was disturbed is run again, when nothing else is under way, and counts as it is then. */
async function runsOf(
  modes: readonly ModeName[],
  again: (modes: readonly ModeName[]) => Promise<Finished>,
  all: readonly Promise<Finished>[],
  index: number,
): Promise<Result['runs']> {
  let last = await (all[index] ?? expect.fail('it did not run'));
  const counted = new Map(last.result.runs.map(run => [run.mode, run]));
  for (let triesLeft = 3; isDisturbed(last); triesLeft -= 1) {
    if (triesLeft === 0) expect.fail(last.text);
    await Promise.allSettled(all);
    last = await again(modes.filter(mode => counted.get(mode)?.verdict === 'inconclusive'));
    for (const run of last.result.runs) counted.set(run.mode, run);
  }
  expect(last.code, last.text).to.equal(0);
  return [...counted.values()];
}

/** A lab mostly waits: two of them leave each other enough of two cores. */
const labsAtOnce = 2;
const shippedFile = (name: string) => path.join(root, `scenarios/${name}.yaml`);

const nothingWrong = [
  'users.loggedOut == 0',
  'users.identitySwapped == 0',
  'users.logoutNotHonoured == 0',
  'writes.lost == 0',
  'writes.phantom == 0',
  'writes.duplicated == 0',
  'writes.resurrected == 0',
  'writes.stale == 0',
  'requests.failed == 0',
].map(line => `    - ${line}`);

const sound = ['sticky', 'redis'] as const;
const runShort = async (env: string, modes: readonly ModeName[]) =>
  runScenario(await written(short(env, '[]', nothingWrong.join('\n'))), '--mode', modes.join(','));

describe('whole runs', function () {
  this.timeout(180_000);
  const rows = Object.entries(shipped);
  let finished: Promise<Finished>[] = [];

  before(() => {
    const works = rows.map(
      ([name, modes]) =>
        () =>
          runScenario(shippedFile(name), '--mode', modes.join(',')),
    );
    works.push(
      () => runShort('drop-writes', ['redis']),
      () => runShort('', sound),
    );
    finished = fewAtOnce(labsAtOnce, works);
    // Each is looked at in its own test.
    for (const run of finished) run.catch(() => undefined);
  });

  it('are made in every mode between them', () => {
    expect([...new Set(Object.values(shipped).flat())]).to.have.members(modeNames);
  });

  for (const [index, [name, modes]] of rows.entries()) {
    it(`${name} gives its verdict in ${modes.join(', ')}`, async () => {
      const again = (late: readonly ModeName[]) => runScenario(shippedFile(name), '--mode', late.join(','));
      const runs = await runsOf(modes, again, finished, index);
      expect(runs.map(({ mode, verdict }) => `${mode} ${verdict}`)).to.deep.equal(modes.map(mode => `${mode} pass`));
      for (const run of runs) {
        expect(run.expectations.length).to.be.greaterThan(3);
        expect(run.writes.acknowledged).to.be.greaterThan(50);
        for (const fault of run.faults)
          expect(fault.healedMs).to.be.greaterThan(fault.confirmedMs ?? Number.POSITIVE_INFINITY);
      }
    });
  }

  it('drop-writes is found under its own name', async () => {
    const first = await (finished[rows.length] ?? expect.fail('it did not run'));
    if (isDisturbed(first)) await Promise.allSettled(finished);
    const { code, result, text } = isDisturbed(first) ? await runShort('drop-writes', ['redis']) : first;
    expect(code, text).to.equal(1);
    expect(result.runs).to.have.length(1);
    for (const { writes } of result.runs) {
      expect(writes.lost, text).to.be.greaterThan(0);
      expect(writes).to.include({ phantom: 0, duplicated: 0, resurrected: 0 });
    }
  });

  it('nothing is found in the correct shop, in both modes', async () => {
    const runs = await runsOf(sound, late => runShort('', late), finished, rows.length + 1);
    expect(runs.map(({ verdict }) => verdict)).to.deep.equal(['pass', 'pass']);
  });
});
