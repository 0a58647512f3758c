/**
 * Whole runs that are judged. They need the machine for themselves: other tests would delay the driver, and a run
 * with a late driver is rightly inconclusive. Two of them at a time still leave a processor idle now and then.
 */
import path from 'node:path';
import { expect } from 'chai';
import limited from 'p-limit';
import type { ModeName } from '#src/modes.js';
import { startedBefore } from '../at-once.js';
import { root } from './holdfast.js';
import { type Finished, type Result, runScenario } from './ran.js';

/** Returns whether another program disturbed the run. */
export function isDisturbed({ result, text }: Finished): boolean {
  const isInconclusive = result.runs.some(({ verdict }) => verdict === 'inconclusive');
  return isInconclusive && /The driver itself was late|No processor was idle/.test(text);
}

/** Runs the modes, and repeats those that were inconclusive. The last run of each mode counts. */
export async function runsOf(modes: readonly ModeName[], run: (modes: readonly ModeName[]) => Promise<Finished>) {
  const counted = new Map<string, Result['runs'][number]>();
  let last: Finished;
  let late = modes;
  let triesLeft = 4;
  do {
    last = await run(late);
    for (const each of last.result.runs) counted.set(each.mode, each);
    late = modes.filter(mode => counted.get(mode)?.verdict === 'inconclusive');
    triesLeft -= 1;
  } while (isDisturbed(last) && triesLeft > 0);
  expect(last.code, last.text).to.equal(0);
  return [...counted.values()];
}

const twoAtOnce = limited(2);

/** Starts the work before the first test, but at most two at a time. */
export function startedInTurn<T>(work: () => Promise<T>): () => Promise<T> {
  return startedBefore(() => twoAtOnce(work));
}

/** Tests that each shipped scenario passes in these modes. */
export function itPasses(shipped: Readonly<Record<string, readonly ModeName[]>>): void {
  for (const [name, modes] of Object.entries(shipped)) {
    const file = path.join(root, `scenarios/${name}.yaml`);
    const finished = startedInTurn(() => runsOf(modes, late => runScenario(file, '--mode', late.join(','))));
    it(`${name} gives its verdict in ${modes.join(', ')}`, async () => {
      const runs = await finished();
      expect(runs.map(({ mode, verdict }) => `${mode} ${verdict}`)).to.deep.equal(modes.map(mode => `${mode} pass`));
      for (const run of runs) {
        expect(run.expectations.length).to.be.greaterThan(3);
        expect(run.writes.acknowledged).to.be.greaterThan(50);
        for (const fault of run.faults)
          expect(fault.healedMs).to.be.greaterThan(fault.confirmedMs ?? Number.POSITIVE_INFINITY);
      }
    });
  }
}
