import { expect } from 'chai';
import { PlanDrawer } from '#src/hunt/draw-plan.js';
import { describeNothing, tidyPlan } from '#src/hunt/found-scenario.js';
import { listStrikeable } from '#src/hunt/goal.js';
import { type HuntOptions, type HuntProgress, hunt } from '#src/hunt/hunt.js';
import type { HuntedPlan, TriedPlan, TryPlan } from '#src/hunt/hunted-plan.js';
import { Interrupted, LabError } from '#src/simulator/errors.js';
import { loggedOut, runMadeUp } from './made-up-system.js';
import { toyScenario } from './toy-scenario.js';

const msPerRun = 3_000;

/** Hunts with a clock that only runs move. */
async function huntWith(tryPlan: TryPlan, more: Partial<HuntOptions> = {}, seed = 7) {
  let ms = 0;
  const drawer = new PlanDrawer(toyScenario, listStrikeable(toyScenario, 'redis', []), seed);
  const progress: HuntProgress[] = [];
  const result = await hunt({
    draw: (number, seen) => drawer.draw(number, seen),
    tryPlan: plan => {
      ms += msPerRun;
      return tryPlan(plan);
    },
    tidy: plan => tidyPlan(toyScenario, plan),
    now: () => ms,
    searchMs: 300_000,
    shrinkMs: 600_000,
    onProgress: each => progress.push(each),
    ...more,
  });
  return { ...result, progress };
}

const madeUp: TryPlan = async plan => runMadeUp(plan);
const passing: TriedPlan = {
  ...{ word: 'pass', unmet: [], reasons: [], events: [], strikesMs: new Map() },
  trace: { users: [], faults: [] },
};
const failing: TriedPlan = { ...passing, word: 'fail', unmet: [loggedOut] };

describe('a hunt', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`finds a kill within 50 ms after a renewal, and shrinks it to one user and four steps: seed ${seed}`, async () => {
      const { find } = await huntWith(madeUp, {}, seed);
      expect(find?.isRepeatable).to.equal(true);
      expect(find?.isSmallest).to.equal(true);
      const { users = [], faults = [] } = find?.plan ?? {};
      expect(faults.map(fault => fault.do)).to.deep.equal(['kill']);
      expect(faults[0]?.trigger).to.deep.equal({ counter: 'sessions.renewed', atLeast: 1 });
      expect(users.map(({ name, steps }) => [name, ...steps.map(({ kind }) => kind)])).to.deep.equal([
        ['user-1', 'login', 'add', 'add', 'add'],
      ]);
      expect(find && runMadeUp(find.plan).unmet).to.deep.equal([loggedOut]);
    });
  }

  it('finds the user alone also when the fault hit its request before the answer', async () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const { find } = await huntWith(async plan => runMadeUp(plan, 80), {}, seed);
      expect(find?.plan.users.map(({ name }) => name)).to.deep.equal(['user-1']);
      expect(find?.runs, 'it does not halve the users').to.be.below(90);
    }
  });

  it('finds the same again with the same seed', async () => {
    const [one, other] = [await huntWith(madeUp), await huntWith(madeUp)];
    expect(one.find).to.deep.equal(other.find);
  });

  it('counts tries, and never takes an inconclusive one for a find', async () => {
    const inconclusive: TriedPlan = { ...failing, word: 'inconclusive', reasons: ['The fault had no effect.'] };
    const result = await huntWith(async () => inconclusive);
    expect(result).to.include({ tries: 100, inconclusive: 100, searchMs: 300_000 });
    expect(result.find).to.equal(undefined);
    expect(result.reasons).to.deep.equal(['The fault had no effect.']);
  });

  it('goes on after one failure of the lab, and ends after two in succession', async () => {
    let runs = 0;
    const result = await huntWith(async () => {
      runs += 1;
      if (runs === 2 || runs >= 5) throw new LabError(`no port at run ${runs}`);
      return passing;
    });
    expect(result).to.include({ tries: 6, labFailures: 3 });
    expect(describeNothing(result)[0]).to.include('6 tries in').and.include('3 passed, 0 inconclusive, 3 in which');
    expect(String(result.failure)).to.include('no port at run 6');
  });

  it('keeps a failure aside that does not come again, and goes on with the search', async () => {
    let runs = 0;
    const result = await huntWith(async () => {
      runs += 1;
      return runs === 3 ? failing : passing;
    });
    expect(result.find).to.include({ isRepeatable: false, foundAt: 3, isSmallest: false });
    expect(result.tries).to.be.greaterThan(50);
  });

  it('counts only a plan that violates the same expectation three times of three', async () => {
    const other: TriedPlan = { ...failing, unmet: ['writes.lost == 0'] };
    let runs = 0;
    const { find } = await huntWith(async () => {
      runs += 1;
      return runs === 1 ? failing : other;
    });
    expect(find).to.include({ isRepeatable: true, expectation: 'writes.lost == 0' });
    expect(find?.foundAt).to.be.greaterThan(1);
  });

  it('returns the smallest plan so far when it is interrupted while it shrinks', async () => {
    let runs = 0;
    const result = await huntWith(async plan => {
      const tried = runMadeUp(plan);
      if (tried.word === 'fail') runs += 1;
      if (runs > 6) throw new Interrupted();
      return tried;
    });
    expect(result.failure).to.be.instanceOf(Interrupted);
    expect(result.find).to.include({ isRepeatable: true, isSmallest: false });
    expect(result.find?.plan.users).to.have.length(1);
  });

  it('stops shrinking when its time is over, and says so', async () => {
    const { find } = await huntWith(madeUp, { shrinkMs: 10 * msPerRun });
    expect(find).to.include({ isRepeatable: true, isSmallest: false });
    expect(find?.runs).to.be.within(10, 16);
  });

  it('reports each run with its stage and what is left of the time', async () => {
    const { progress, find, tries } = await huntWith(madeUp);
    const search = progress.filter(({ stage }) => stage === 'search');
    expect(search.map(({ runs }) => runs)).to.deep.equal(Array.from({ length: tries }, (_, index) => index + 1));
    expect(search.at(-1)?.last).to.equal('fail');
    const shrinking = progress.filter(({ stage }) => stage === 'shrink');
    expect(shrinking).to.have.length(find?.runs ?? 0);
    expect(shrinking.at(-1)?.smallest?.users).to.have.length(1);
  });

  it('aims at the requests of earlier tries', async () => {
    const drawn: HuntedPlan[] = [];
    await huntWith(async plan => {
      drawn.push(plan);
      return { ...runMadeUp(plan), word: 'pass', unmet: [] };
    });
    const triggers = drawn.flatMap(({ faults }) => faults.map(({ trigger }) => trigger));
    for (const counter of ['sessions.renewed', 'requests.ok'])
      expect(triggers.filter(trigger => 'counter' in trigger && trigger.counter === counter).length).to.be.above(5);
    expect(triggers.filter(trigger => 'atMs' in trigger).length).to.be.above(50);
    expect(triggers.some(trigger => 'afterFault' in trigger)).to.equal(true);
  });
});
