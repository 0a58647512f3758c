import { expect } from 'chai';
import fc from 'fast-check';
import type { LiveHistory } from '#src/live/live-history.js';
import { type ModeName, modeNames } from '#src/modes.js';
import { check } from '#src/simulator/checker/check.js';
import { newTally } from '#src/simulator/checker/findings.js';
import { presentStateOf } from '#src/simulator/checker/users/growing-user.js';
import { judgeUser, rulesOf } from '#src/simulator/checker/users/user-pass.js';
import type { FaultRecord, ListedRun, Operation } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { type Random, randomStream } from '#src/simulator/plan/random.js';
import { correctHistory } from '../simulator/checker/correct-system.js';
import { defects } from '../simulator/checker/defects.js';
import { fault, runOf, wrongs } from '../simulator/checker/histories.js';
import { randomScenario } from '../simulator/model/random-scenario.js';
import { runInMemory } from '../simulator/model/run-in-memory.js';
import { countsOf, countsOfReport, lab, tellRun } from './told-run.js';

/** Counts that a correct system can raise, too. */
const legal = ['recovered', 'unverified'];

const struckAt = fc.record({
  target: fc.constantFrom('backend-1', 'backend-2', 'redis'),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  lasts: fc.double({ min: 0, max: 0.5, noNaN: true }),
  reached: fc.constantFrom<FaultState>('requested', 'confirmed', 'healing', 'healed', 'healed', 'healed'),
});
type FaultState = 'requested' | 'confirmed' | 'healing' | 'healed';

/** Returns a run with these faults, and with every defect that fits into it if `choice` is given. */
function runWith(
  operations: readonly Operation[],
  struck: readonly (typeof struckAt extends fc.Arbitrary<infer Struck> ? Struck : never)[],
  choice?: number,
): ListedRun {
  const planted = choice === undefined ? [] : Object.values(defects);
  const defective = planted.reduce((before, plant) => plant(before, choice ?? 0) ?? before, operations);
  const endMs = defective.reduce((last, { doneMs }) => Math.max(last, doneMs), 0);
  const faults = struck.map(({ target, from, lasts, reached }, i): FaultRecord => {
    const requestedMs = from * endMs;
    const healedMs = requestedMs + lasts * endMs;
    const hasReached = (state: FaultState, ms: number) =>
      states.indexOf(state) <= states.indexOf(reached) ? ms : null;
    return {
      ...fault(`fault-${i}`, requestedMs, hasReached('confirmed', requestedMs), hasReached('healed', healedMs)),
      healRequestedMs: hasReached('healing', healedMs),
      target,
    };
  });
  const answered = defective.map(({ final, ...operation }) => ({
    ...operation,
    backend: `backend-${1 + (operation.id % 2)}`,
    // A side that goes on has no read-back.
    ...(final && (choice ?? 0) % 2 === 0 && { final }),
  }));
  return runOf(answered, { faults });
}
const states: readonly FaultState[] = ['requested', 'confirmed', 'healing', 'healed'];

/** Judges, looks and cuts by chance. */
function disturb(random: Random, trimShare: number): (history: LiveHistory, nowMs: number) => void {
  return (history, nowMs) => {
    const chance = random();
    if (chance < trimShare) history.trim();
    else if (chance < 0.3) history.judgeSome(0);
    else if (chance < 0.35) history.judgeAll();
    else if (chance < 0.4) history.view(nowMs);
  };
}

/** Expects that the counters and the states of all users are those of the checker. */
function expectReported(history: LiveHistory): void {
  history.judgeAll();
  const run = history.record(lab);
  expect(countsOf(history)).to.deep.equal(countsOfReport(run));
  const exposed = history.view(0).strikes.map(strike => [strike.id, strike.exposed]);
  expect(exposed).to.have.deep.members(check(run).faults.map(found => [found.id, found.exposed]));
  const rules = rulesOf(run);
  for (const { name, state } of history.view(0).users) {
    const { story } = judgeUser(history.operationsOf(name), rules, newTally());
    expect(state, name).to.equal(presentStateOf(story));
  }
}

function wrongsOf(run: ListedRun): Record<string, number> {
  return Object.fromEntries(Object.entries(wrongs(check(run))).filter(([name]) => !legal.includes(name)));
}

describe('a live history', function () {
  this.timeout(30_000);

  for (const [how, trimShare] of [
    ['however often it was judged in between', 0],
    ['after it was cut at any time', 0.05],
  ] as const) {
    it(`has the counters of the report of its record, ${how}`, () => {
      const seen = { lost: 0, onlyMissing: 0, loggedOut: 0, swapped: 0, exposed: 0 };
      const property = fc.property(
        correctHistory,
        fc.array(struckAt, { maxLength: 3 }),
        fc.nat(1000),
        (operations, struck, choice) => {
          const run = runWith(operations, struck, choice);
          const history = tellRun(run, disturb(randomStream(choice, 'disturb'), trimShare));
          expectReported(history);
          if (trimShare === 0) expect(countsOf(history)).to.deep.equal(countsOfReport(run));
          const { lost, missing, loggedOut, swapped, exposed } = countsOf(history);
          if (lost > 0) seen.lost += 1;
          if (missing > lost) seen.onlyMissing += 1;
          if (loggedOut > 0) seen.loggedOut += 1;
          if (swapped > 0) seen.swapped += 1;
          if (exposed !== null && exposed > 0) seen.exposed += 1;
        },
      );
      fc.assert(property, { numRuns: 200 });
      for (const [name, times] of Object.entries(seen)) expect(times, name).to.be.greaterThan(10);
    });
  }

  it('raises no finding for a correct system, although it was cut', () => {
    const property = fc.property(
      correctHistory,
      fc.array(struckAt, { maxLength: 2 }),
      fc.nat(),
      (operations, struck, seed) => {
        const history = tellRun(runWith(operations, struck), disturb(randomStream(seed, 'disturb'), 0.1));
        expect(wrongsOf(history.record(lab))).to.deep.equal({});
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  for (const mode of modeNames) {
    it(`agrees with the report about runs in the mode ${mode}, and cutting them raises no finding`, async () => {
      for (let seed = 1; seed <= 4; seed += 1) {
        const run = await randomRun(mode, seed);
        const whole = tellRun(run, disturb(randomStream(seed, 'disturb'), 0));
        whole.judgeAll();
        expect(countsOf(whole)).to.deep.equal(countsOfReport(run));
        const cut = tellRun(run, disturb(randomStream(seed, 'disturb'), 0.01));
        expectReported(cut);
        expect(wrongsOf(cut.record(lab))).to.deep.equal({});
      }
    });
  }
});

function randomRun(mode: ModeName, seed: number): Promise<ListedRun> {
  const scenario = randomScenario(mode, seed);
  return runInMemory(scenario, mode, makePlan(scenario, seed));
}
