import { expect } from 'chai';
import { PlanDrawer } from '#src/hunt/draw-plan.js';
import { tidyPlan, writeFind } from '#src/hunt/found-scenario.js';
import { listSought, listStrikeable, negateExpectation } from '#src/hunt/goal.js';
import { isPossible, makeRunScenario } from '#src/hunt/hunted-plan.js';
import { ScenarioError } from '#src/simulator/errors.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { writeScenario } from '#src/simulator/scenario/write.js';
import { runMadeUp } from './made-up-system.js';
import { toyScenario } from './toy-scenario.js';

const sought = listSought(toyScenario, 'redis');
const asked = ['hang', 'slow', 'cut-link', 'drain', 'errors', 'rotate-secrets', 'deploy', 'scale-out'];
const many = listStrikeable(toyScenario, 'redis', asked);

function drawMany(seed: number, count = 60) {
  const drawer = new PlanDrawer(toyScenario, many, seed);
  const plan = drawer.draw(1, []);
  const seen = [{ plan, events: runMadeUp(plan).events }];
  return Array.from({ length: count }, (_, index) => drawer.draw(index + 1, index < 5 ? [] : seen));
}

describe('the plans of a hunt', () => {
  it('are the same for the same seed, and different for another', () => {
    expect(drawMany(1, 10)).to.deep.equal(drawMany(1, 10));
    expect(drawMany(1, 10)).to.not.deep.equal(drawMany(2, 10));
  });

  it('have one to three faults that fit into a short run', () => {
    const plans = drawMany(3, 80);
    expect(plans.filter(plan => !isPossible(plan))).to.deep.equal([]);
    expect(new Set(plans.map(({ faults }) => faults.length))).to.deep.equal(new Set([1, 2, 3]));
    for (const { phases, users } of plans) {
      expect(phases.warmupMs + phases.baselineMs + phases.faultsMs + phases.recoveryMs).to.be.below(5_100);
      expect(users.length).to.be.within(10, 20);
    }
  });

  it('are scenario files, which the parser accepts as they are', () => {
    for (const plan of drawMany(4, 12).slice(-5)) {
      const scenario = makeRunScenario(toyScenario, 'redis', sought, tidyPlan(toyScenario, plan));
      const parsed = parseScenario(writeScenario(scenario), 'toy.yaml');
      expect(parsed.faults).to.deep.equal(scenario.faults);
      expect(parsed.users.plan).to.deep.equal(scenario.users.plan);
    }
  });

  it('strike each target and kind sometime', () => {
    const struck = drawMany(5, 300).flatMap(({ faults }) => faults.map(fault => `${fault.do} ${fault.target}`));
    for (const { do: action, target } of many) expect(struck).to.include(`${action} ${target}`);
  });

  it('stay within the times of a scenario with fixed users', () => {
    const fixed = parseScenario(
      `name: fixed
why: To be hunted in again.
modes: [redis]
users: { plan: { user-1: [0ms login, 100ms add a, 900ms read] } }
phases: { warmup: 0ms, baseline: 0ms, faults: 1s, recovery: 100ms, quiesce: 0ms }
faults: [{ id: kill, at: 0ms, do: kill, target: backend-1, for: 900ms }]
`,
      'fixed.yaml',
    );
    const drawer = new PlanDrawer(fixed, listStrikeable(fixed, 'redis', []), 1);
    for (let number = 1; number <= 40; number += 1) {
      const plan = drawer.draw(number, []);
      expect(isPossible(plan), JSON.stringify(plan)).to.equal(true);
      expect(plan.users[0]?.steps.slice(0, 2)).to.deep.equal(fixed.users.plan?.[0]?.steps.slice(0, 2));
    }
  });
});

describe('a found plan', () => {
  it('is written as a scenario with fixed users, the expectation that failed first, and where it comes from', () => {
    const plan = tidyPlan(toyScenario, drawMany(6, 1)[0] ?? expect.fail('no plan'));
    const find = {
      ...{ plan, expectation: 'writes.lost == 0', foundAt: 3, isRepeatable: true, isSmallest: true },
      ...{ runs: 40, shrinkMs: 90_000 },
    };
    const text = writeFind(find, { base: toyScenario, mode: 'redis', sought }, 99);
    expect(text).to.match(/# Found by "holdfast hunt" with seed 99, try 3\. It failed three times of three/);
    expect(text).to.match(/user-1:\s+\[\s*\d+ms login,\s+[\d.]+m?s add item-1\.1,/);
    const parsed = parseScenario(text, 'found.yaml');
    expect(parsed).to.deep.include({ name: 'hunt-toy', modes: ['redis'], seed: plan.seed, faults: plan.faults });
    expect(parsed.users.plan).to.deep.equal(plan.users);
    expect(parsed.expect.any[0]).to.equal('writes.lost == 0');
  });

  it('has the users of the scenario by their names, since other accounts may not exist', () => {
    const { users } = toyScenario;
    const plan = drawMany(7, 1)[0] ?? expect.fail('no plan');
    const named = tidyPlan({ users: { ...users, names: 'shopper{n}@example.com' } }, plan);
    expect(named.users[1]?.name).to.equal('shopper2@example.com');
    expect(named.users.flatMap(({ steps }) => steps.map(({ atMs }) => atMs))).to.deep.equal(
      plan.users.flatMap(({ steps }) => steps.map(({ atMs }) => atMs)),
    );
  });
});

describe('what a hunt looks for', () => {
  it('is each line of the file that allows no loss and no defect, in the mode, and members that do not come back', () => {
    expect(sought).to.deep.equal([
      'users.identitySwapped == 0',
      'users.loggedOut == 0',
      'writes.lost == 0',
      'members.notBack == 0',
    ]);
    expect(listSought(toyScenario, 'sticky')).to.deep.equal(['users.identitySwapped == 0', 'members.notBack == 0']);
    expect(listSought({ ...toyScenario, expect: { any: ['requests.failed == 0'] } }, 'redis')).to.deep.equal([]);
  });

  for (const [until, opposite] of [
    ['writes.lost > 0', 'writes.lost == 0'],
    ['users.loggedOut >= 3', 'users.loggedOut < 3'],
    ['requests.failed > 5 %', 'requests.failed <= 5 %'],
    ['members.notBack != 0', 'members.notBack == 0'],
    ['recoveryMs > 0', 'recoveryMs <= 0'],
  ] as const) {
    it(`is the violation of "${opposite}" for --until "${until}"`, () =>
      expect(negateExpectation(until)).to.equal(opposite));
  }

  it('cannot be what every run shows', () => {
    expect(() => negateExpectation('writes.lost >= 0')).to.throw(ScenarioError, 'which every run meets');
    expect(() => negateExpectation('writes.gone > 0')).to.throw(ScenarioError, 'unknown metric');
  });
});

describe('what a hunt strikes', () => {
  const struck = (mode: 'redis' | 'sticky', ...names: string[]) =>
    listStrikeable(toyScenario, mode, names).map(fault => `${fault.do} ${fault.target}`);
  const ofFile = ['kill backend-1', 'kill backend-2', 'kill backend-3'];

  it('is the fault of the file on each target of its kind, with its options and its length', () => {
    expect(struck('redis')).to.deep.equal(ofFile);
    expect(listStrikeable(toyScenario, 'redis', [])[0]).to.deep.equal({ do: 'kill', target: 'backend-1', forMs: 800 });
  });

  it('is each fault of --faults too, on backends, proxies and their links, and on a store only by its name', () => {
    expect(struck('redis', 'hang')).to.deep.equal([
      ...ofFile,
      ...['hang backend-1', 'hang backend-2', 'hang backend-3', 'hang proxy'],
    ]);
    expect(struck('redis', 'hang@store')).to.deep.equal([...ofFile, 'hang redis']);
    expect(struck('redis', 'cut-link')).to.include.members(['cut-link proxy->backend-1', 'cut-link backend-3->redis']);
    expect(struck('sticky', 'cut-link')).to.not.include('cut-link backend-3->redis');
    expect(listStrikeable(toyScenario, 'redis', ['slow']).at(-1)?.options).to.have.keys('latency');
  });

  for (const [name, said] of [
    ['explode', 'unknown fault "explode"'],
    ['kill@backend-9', 'unknown target "backend-9"'],
  ] as const) {
    it(`refuses ${name}`, () => expect(() => struck('redis', name)).to.throw(ScenarioError, said));
  }

  it('must be something', () => {
    expect(() => listStrikeable({ ...toyScenario, faults: [] }, 'redis', ['exec'])).to.throw(
      ScenarioError,
      'has no fault that can strike in mode redis: name some, as in --faults kill,hang',
    );
  });
});
