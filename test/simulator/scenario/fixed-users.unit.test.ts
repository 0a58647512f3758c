import { expect } from 'chai';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { buildShortForm } from '#src/simulator/scenario/scenario.js';
import { writeScenario } from '#src/simulator/scenario/write.js';
import { complaint } from './broken-scenario.js';

const text = (users: string) => `name: fixed
why: To be read.
modes: [redis]
users: { ${users} }
phases: { warmup: 100ms, baseline: 400ms, faults: 2s, recovery: 500ms }
faults: [{ id: kill, when: sessions.renewed >= 2 + 20ms, do: kill, target: backend-1, for: 1s }]
expect: { any: [writes.lost == 0] }
`;
const plan =
  'plan: { anna@x.org: [0ms login, 120ms add a-1, 0.5s read beside, 500ms add b beside slow 50ms, 1.25s remove a-1], berta: [200ms login, 2.9s logout] }';

describe('scenario file: fixed users', () => {
  const scenario = parseScenario(text(plan), 'fixed.yaml');
  const users = [
    {
      name: 'anna@x.org',
      steps: [
        { atMs: 0, kind: 'login' },
        { atMs: 120, kind: 'add', token: 'a-1' },
        { atMs: 500, kind: 'read', beside: true },
        { atMs: 500, kind: 'add', token: 'b', beside: true, slowMs: 50 },
        { atMs: 1_250, kind: 'remove', token: 'a-1' },
      ],
    },
    {
      name: 'berta',
      steps: [
        { atMs: 200, kind: 'login' },
        { atMs: 2_900, kind: 'logout' },
      ],
    },
  ];

  it('are planned as they are written, whatever the seed', () => {
    expect(makePlan(scenario, 1).users).to.deep.equal(users);
    expect(makePlan(scenario, 2).users).to.deep.equal(users);
  });

  it('are written so that the parser makes the same scenario of it', () => {
    expect(parseScenario(writeScenario(scenario), 'written.yaml')).to.deep.equal(scenario);
  });

  it('have arrivals and names that describe them, and no short form', () => {
    expect(scenario.users.names).to.deep.equal(['anna@x.org', 'berta']);
    expect(scenario.users.arrivals).to.include({ forMs: 201, maxActive: 2 });
    expect(buildShortForm(scenario)).to.equal(scenario);
  });

  for (const [what, users, said] of [
    ['neither arrivals nor a plan', 'timeout: 1s', 'users.arrivals is missing, expected a map with the keys rate, for'],
    ['a plan without users', 'plan: {}', 'found no user, expected at least one'],
    ['arrivals beside a plan', `${plan}, arrivals: { rate: 1/s, for: 1s }`, 'found arrivals beside users.plan'],
    ['a mix beside a plan', `${plan}, mix: { add: 1, read: 1 }`, 'found mix beside users.plan'],
    ['a step without a time', 'plan: { anna: [login] }', 'found "login", expected a step such as "120ms add item-1"'],
    ['an add without an item', 'plan: { anna: [0ms login, 1ms add] }', 'expected a step such as'],
    ['a read with an item', 'plan: { anna: [0ms login, 1ms read a] }', 'expected a step such as'],
    ['an unknown step', 'plan: { anna: [0ms login, 1ms buy] }', 'found "1ms buy", expected a step'],
    ['a user that does not log in first', 'plan: { anna: [0ms read] }', 'found "read", expected "login" in the first'],
    ['an item that is added twice', 'plan: { a: [0ms login, 1ms add x, 2ms add x] }', 'found "x" a second time'],
    ['a removal of what was not added', 'plan: { a: [0ms login, 1ms remove x] }', 'expected one that was added before'],
    [
      'steps that go back in time',
      'plan: { a: [5ms login, 1ms read] }',
      'found 1, expected at least the 5 of the step',
    ],
    ['a step after the recovery', 'plan: { a: [0ms login, 3s read] }', 'expected less than the 3000 ms from warmup'],
    ['a name with a space', 'plan: { "a b": [0ms login] }', 'expected up to 64 letters, digits'],
  ] as const) {
    it(`refuses ${what}`, () => expect(complaint(text(users))).to.include(said));
  }
});
