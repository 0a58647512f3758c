import { expect } from 'chai';
import fc from 'fast-check';
import type { HuntedPlan, TriedPlan } from '#src/hunt/hunted-plan.js';
import { isPossible, isSimpler } from '#src/hunt/hunted-plan.js';
import { listRounderNumbers, listSublists, passes, shrink } from '#src/hunt/shrink.js';

const nothingSeen: TriedPlan = {
  ...{ word: 'fail', unmet: [], reasons: [], events: [], strikesMs: new Map() },
  trace: { users: [], faults: [] },
};

/** Shrinks lists of numbers: fewer numbers, then smaller ones. */
function shrinkList(start: readonly number[], fails: (list: readonly number[]) => boolean, testsMax = Infinity) {
  let tests = 0;
  return shrink<readonly number[], undefined>(
    { plan: start, evidence: undefined },
    {
      passes: [
        listSublists,
        function* smaller(list) {
          for (const [index, number] of list.entries())
            for (const each of listRounderNumbers(number)) yield list.with(index, each);
        },
      ],
      keyOf: list => list.join(),
      test: async list => {
        tests += 1;
        return fails(list) ? { plan: list, evidence: undefined } : undefined;
      },
      isSimpler: (one, other) =>
        one.length < other.length || (one.length === other.length && sumOf(one) < sumOf(other)),
      isOver: () => tests >= testsMax,
    },
  );
}

function sumOf(list: readonly number[]): number {
  return list.reduce((sum, number) => sum + number, 0);
}

const users = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }).map(numbers =>
  numbers.map(number => ({
    name: `user-${number}`,
    steps: [
      { atMs: number, kind: 'login' as const },
      ...Array.from({ length: number % 4 }, (_, index) => ({
        ...{ atMs: number + 100 * (index + 1), kind: 'add' as const, token: `item-${number}.${index}` },
      })),
      { atMs: number + 700, kind: 'read' as const },
    ],
  })),
);
const faults = fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }).map(numbers =>
  numbers.map(number => ({
    ...{ id: `fault-${number}`, do: 'kill', target: `backend-${number}`, forMs: 100 * number },
    trigger: { atMs: 37 * number },
  })),
);
const phases = { warmupMs: 100, baselineMs: 700, faultsMs: 1_000, recoveryMs: 500, quiesceMs: 200 };
const plans = fc.record({ seed: fc.constant(1), users, faults, phases: fc.constant(phases) });

function shrinkPlan(start: HuntedPlan, fails: (plan: HuntedPlan) => boolean) {
  return shrink<HuntedPlan, TriedPlan>(
    { plan: start, evidence: nothingSeen },
    {
      passes,
      keyOf: plan => JSON.stringify(plan),
      test: async plan => (fails(plan) ? { plan, evidence: nothingSeen } : undefined),
      isSimpler,
      isOver: () => false,
    },
  );
}

describe('shrinking', () => {
  it('leaves exactly what is needed for the failure', () =>
    fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(500), { minLength: 1 }), fc.nat(), async (list, chosen) => {
        const needed = list.filter((_, index) => index === chosen % list.length || (chosen >> (index % 20)) % 2 === 1);
        const { plan, isSmallest } = await shrinkList(list, each => needed.every(number => each.includes(number)));
        expect([...plan].sort()).to.deep.equal([...needed].sort());
        expect(isSmallest).to.equal(true);
      }),
      { numRuns: 60 },
    ));

  it('ends at a failure of which nothing simpler fails, however failures are spread', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.nat(99), { minLength: 1, maxLength: 8 }), fc.integer(), async (list, salt) => {
        const fails = (each: readonly number[]) => each.length > 0 && (each === list || hashOf(each, salt) % 3 === 0);
        const { plan } = await shrinkList(list, fails);
        expect(fails(plan)).to.equal(true);
        const simpler = [...listSublists(plan)].filter(each => each.length < plan.length && each !== list);
        expect(simpler.filter(fails)).to.deep.equal([]);
      }),
      { numRuns: 60 },
    ));

  it('tests nothing twice, and stops when the time is over', async () => {
    const list = Array.from({ length: 40 }, (_, index) => index);
    const { tested, isSmallest, plan } = await shrinkList(list, each => each.length >= 30, 5);
    expect({ tested, isSmallest }).to.deep.equal({ tested: 5, isSmallest: false });
    expect(plan.length).to.be.within(30, 39);
  });

  it('leaves the faults and users of a plan that are needed, and no step or time that is not', () =>
    fc.assert(
      fc.asyncProperty(plans, fc.nat(), async (start, chosen) => {
        const user = start.users[chosen % start.users.length]?.name;
        const fault = start.faults[chosen % start.faults.length]?.id;
        const fails = (plan: HuntedPlan) =>
          plan.users.some(({ name, steps }) => name === user && steps.some(({ kind }) => kind === 'read')) &&
          plan.faults.some(({ id, forMs = 0 }) => id === fault && forMs >= 30);
        const { plan, isSmallest } = await shrinkPlan(start, fails);
        expect(isSmallest).to.equal(true);
        expect(plan.faults.map(({ id }) => id)).to.deep.equal([fault]);
        expect(plan.users.map(({ name, steps }) => [name, ...steps.map(each => each.kind)])).to.deep.equal([
          [user, 'login', 'read'],
        ]);
        expect(plan.users[0]?.steps.map(({ atMs }) => atMs)).to.deep.equal([0, 0]);
        expect(plan.faults[0]?.trigger).to.deep.equal({ atMs: 0 });
        expect(plan.faults[0]?.forMs).to.equal(100);
        expect(plan.phases).to.include({ warmupMs: 0, baselineMs: 0, recoveryMs: 0, quiesceMs: 0 });
      }),
      { numRuns: 30 },
    ));

  it('proposes only plans that a run can follow', () =>
    fc.assert(
      fc.property(plans, plan => {
        const all = passes.flatMap(pass => [...pass(plan, nothingSeen)]);
        expect(all.filter(each => !isPossible(each))).to.deep.equal([]);
        expect(all.length).to.be.greaterThan(3);
      }),
      { numRuns: 30 },
    ));

  it('counts the events that are left when users or steps are left out', () => {
    const [first, second] = [step('anna', 0), step('berta', 10)];
    const trigger = { counter: 'requests.ok' as const, atLeast: 2, delayMs: 5 };
    const fault = { id: 'kill', do: 'kill', target: 'backend-1', trigger };
    const events = [event('anna', 0, 1), event('berta', 10, 31)];
    const plan: HuntedPlan = { seed: 1, users: [first, second], faults: [fault], phases };
    const all = passes.flatMap(pass => [...pass(plan, { ...nothingSeen, events })]);
    const onlyAnna = all.find(({ users }) => users.length === 1 && users[0]?.name === 'anna');
    const onlyBerta = all.find(({ users }) => users.length === 1 && users[0]?.name === 'berta');
    expect(onlyAnna?.faults[0]?.trigger).to.deep.equal({ ...trigger, atLeast: 1, delayMs: 35 });
    expect(onlyBerta?.faults[0]?.trigger).to.deep.equal({ ...trigger, atLeast: 1, delayMs: 5 });
  });
});

function step(name: string, atMs: number) {
  return { name, steps: [{ atMs, kind: 'login' as const }] };
}

function event(user: string, plannedMs: number, atMs: number) {
  return { user, plannedMs, atMs, kind: 'login', backend: 'backend-1', isRenewal: false };
}

function hashOf(list: readonly number[], salt: number): number {
  return list.reduce((sum, number) => (sum * 31 + number) % 1_000_003, Math.abs(salt) % 1_000_003);
}
