import { expect } from 'chai';
import { ScenarioError } from '#src/simulator/errors.js';
import { makePlan, type Plan } from '#src/simulator/plan/plan.js';
import { parseReplay, planBytesMax, readReplay, writePlan } from '#src/simulator/plan/plan-file.js';
import { parseScenario } from '#src/simulator/scenario/file.js';

const yaml = `name: test
why: To be replayed.
modes: [redis]
users:
  arrivals: { rate: 20/s, for: 1s }
  tabs: 2
  slow-at-logout: 100ms
phases: { warmup: 500ms, baseline: 500ms, faults: 3s, recovery: 1s }
faults:
  - { id: cut, at: 1s, do: cut-link, target: proxy->backend-any, direction: forward }
  - { id: kill, when: writes.acknowledged since cut >= 5, do: kill, target: backend-any }
  - { id: then, after: kill + 500ms, do: hang, target: redis, for: 1s }
expect:
  redis: [requests.failed during kill < 90 %]
`;
const scenario = parseScenario(yaml, 'test.yaml');
const plan = makePlan(scenario, 7);
/** The plan in the form of a file. */
const written: object = JSON.parse(writePlan(plan));

function replayOf(changed: unknown) {
  return parseReplay(yaml, 'test.yaml', JSON.stringify(changed), 'plan.json');
}

/** Returns the plan with another value at one place, such as `users.0.steps.0.kind`. */
function planWith(place: string, value: unknown): unknown {
  const copy: unknown = structuredClone(written);
  const keys = place.split('.');
  const last = keys.pop() ?? '';
  const parent = keys.reduce<unknown>((at, key) => Reflect.get(Object(at), key), copy);
  expect(typeof parent, place).to.equal('object');
  Reflect.set(Object(parent), last, value);
  return copy;
}

/** Returns the place of its first step of that kind. */
function stepOf(kind: string): string {
  for (const [user, { steps }] of plan.users.entries()) {
    const step = steps.findIndex(one => one.kind === kind);
    if (step >= 0) return `users.${user}.steps.${step}`;
  }
  return expect.fail(`no ${kind} in the plan`);
}

describe('a plan that was written', () => {
  it('is the same, byte for byte, when it is read again', () => {
    const text = writePlan(plan);
    const again = parseReplay(yaml, 'test.yaml', text, 'plan.json');
    expect(writePlan(again.plan)).to.equal(text);
    expect(again.plan.seed).to.equal(7);
    expect(again.scenario).to.deep.equal({ ...scenario, faults: plan.faults });
    expect(JSON.stringify(plan.faults)).to.include('proxy->backend-').and.not.include('backend-any');
  });

  it('replaces the users, faults and reported seed of the scenario', () => {
    const first = plan.users.slice(0, 1);
    const [, kill] = plan.faults;
    const other: Plan = {
      ...plan,
      seed: 1234,
      users: first,
      faults: kill ? [{ ...kill, trigger: { atMs: 9 }, forMs: 8 }] : [],
    };
    const replay = replayOf({ schema: 2, ...other });
    expect(replay.plan).to.deep.equal(other);
    expect(replay.scenario.faults).to.deep.equal(other.faults);
  });

  it('can hold users with custom names, and slow adds for a custom app', () => {
    const named = { ...plan, users: plan.users.map((user, at) => ({ ...user, name: `a+${at}_b-c@x.org` })) };
    expect(replayOf({ ...written, ...named }).plan.users[0]?.name).to.equal('a+0_b-c@x.org');
    const step = 'request: { POST: "/{user}/{token}" }';
    const journey = `{ login: { request: { POST: "/{user}" } }, add: { ${step} }, remove: { ${step} }, read: { request: { GET: / }, items: $ },
    whoami: { request: { GET: / }, who: $.me }, logout: { request: { POST: / } }, anonymous: { status: 401 } }`;
    const own = yaml.replace('  tabs: 2\n', `  tabs: 2\n  journey: ${journey}\n`);
    expect(JSON.stringify(plan)).to.include('"slowMs":100');
    expect(parseReplay(own, 'test.yaml', writePlan(plan), 'plan.json').plan).to.deep.equal(plan);
  });

  const [userName = ''] = plan.users.map(({ name }) => name);
  const refused: readonly (readonly [what: string, changed: unknown, message: string])[] = [
    ['a list', [], 'the plan: found [], expected a map of schema, scenario, seed, users, faults'],
    [
      'an unknown key',
      { ...written, more: 1 },
      'more: found an unknown key, expected schema, scenario, seed, users, faults',
    ],
    ['a key that is missing', { ...written, users: undefined }, 'users: found nothing, expected a list'],
    [
      'another scenario',
      { ...written, scenario: 'kill-one' },
      'scenario: found a plan of "kill-one", expected one of "test"',
    ],
    [
      'a plan of version 0.1',
      plan,
      'schema: found a plan of version 0.1, expected schema 2. Run the scenario with --seed 7 to write a new plan',
    ],
    ['a later schema', { ...written, schema: 3 }, 'schema: found a plan of schema 3, expected schema 2'],
    ['a fractional seed', { ...written, seed: 1.5 }, 'seed: found 1.5, expected a whole number from 0'],
    ['a user that is not a map', planWith('users.1', 3), 'users[1]: found 3, expected a map of name, steps'],
    ['a user twice', planWith('users.1.name', userName), `users[1].name: found "${userName}" a second time`],
    [
      'a name with a line end',
      planWith('users.1.name', 'a\nb'),
      'users[1].name: found "a\\nb", expected up to 64 letters',
    ],
    ['a user without steps', planWith('users.0.steps', []), 'users[0].steps: found no step, expected a login'],
    [
      'a step of another kind',
      planWith('users.0.steps.1.kind', 'buy'),
      'users[0].steps[1].kind: found "buy", expected one of login',
    ],
    ['a replay', planWith('users.0.steps.1.kind', 'replay'), 'expected one of login, add, read'],
    [
      'a first step that is not a login',
      planWith('users.0.steps.0.kind', 'read'),
      'users[0].steps[0].kind: found "read", expected "login" in the first step',
    ],
    [
      'time that goes backwards',
      planWith('users.0.steps.1.atMs', 0),
      'users[0].steps[1].atMs: found 0, expected at least the',
    ],
    [
      'a step beyond the end',
      planWith('users.0.steps', [{ atMs: 5000, kind: 'login' }]),
      'expected less than the 5000 ms from warmup to recovery',
    ],
    [
      'a fraction of a millisecond',
      planWith('users.0.steps.0.atMs', 0.5),
      'users[0].steps[0].atMs: found 0.5, expected whole milliseconds',
    ],
    [
      'an unknown key of a step',
      planWith('users.0.steps.0.wait', 1),
      'users[0].steps[0].wait: found an unknown key, expected atMs, kind, token',
    ],
    [
      'an add without a token',
      planWith(`${stepOf('add')}.token`, undefined),
      'token: found nothing, expected one, since this step is "add"',
    ],
    [
      'a token twice',
      planWith('users.1.steps', [
        { atMs: 0, kind: 'login' },
        { atMs: 1, kind: 'add', token: 'user-1.1' },
      ]),
      'users[1].steps[1].token: found "user-1.1" a second time',
    ],
    [
      'a read with a token',
      planWith(`${stepOf('read')}.token`, 'a'),
      'token: found "a", expected none: it is for add and remove',
    ],
    [
      'a removal of an item that was never added',
      planWith('users.0.steps.1', { atMs: plan.users[0]?.steps[1]?.atMs, kind: 'remove', token: 'x' }),
      'token: found "x", expected one that was added before',
    ],

    ['an unknown fault', planWith('faults.1.do', 'kil'), 'faults[1].do: unknown fault "kil". Did you mean "kill"?'],
    ['an unknown target', planWith('faults.1.target', 'backend-4'), 'faults[1].target: unknown target "backend-4"'],
    [
      'a random target',
      planWith('faults.1.target', 'backend-any'),
      'faults[1].target: found "backend-any", expected the target itself',
    ],
    [
      'a random end of a link',
      planWith('faults.0.target', 'proxy->backend-any'),
      'faults[0].target: found "proxy->backend-any", expected',
    ],
    [
      'an unknown option',
      planWith('faults.0.options', { speed: 1 }),
      'faults[0].speed: unknown key in a cut-link fault "speed"',
    ],
    [
      'an option that hides a key',
      planWith('faults.0.options', { do: 'kill' }),
      'faults[0].options: found "do", expected what this fault alone has',
    ],
    ['an id twice', planWith('faults.2.id', 'kill'), 'faults[2].id: found the id "kill" a second time'],
    [
      'an invalid trigger',
      planWith('faults.0.trigger', {}),
      'faults[0].trigger.counter: found nothing, expected a count',
    ],
    [
      'two triggers',
      planWith('faults.0.trigger', { atMs: 1, afterFault: 'x' }),
      'faults[0].trigger.afterFault: found an unknown key, expected atMs',
    ],
    [
      'an unknown counter',
      planWith('faults.1.trigger.counter', 'writes.lost'),
      'faults[1].trigger.counter: found "writes.lost", expected a count',
    ],
    [
      'a count since an unknown fault',
      planWith('faults.1.trigger.sinceFault', 'cat'),
      'faults[1].when: unknown earlier fault "cat". Did you mean "cut"?',
    ],
    ['a fault that lasts too long', planWith('faults.2.forMs', 9000), 'faults[2].for: found a fault that heals'],
    ['an expectation about a missing fault', { ...written, faults: [] }, 'expect.redis[0]: unknown window "kill"'],
  ];

  for (const [what, changed, message] of refused) {
    it(`is rejected with its file and key: ${what}`, () => {
      expect(() => replayOf(changed))
        .to.throw(ScenarioError)
        .with.property('message')
        .that.includes(message)
        .and.matches(/^plan\.json:1: /);
    });
  }

  it('is rejected when it has no faults although the scenario has some', () => {
    const unbroken = JSON.stringify({ ...written, faults: [] });
    const anyhow = yaml.replace(' during kill', '');
    expect(() => parseReplay(anyhow, 'test.yaml', unbroken, 'plan.json')).to.throw(
      'plan.json:1: faults: found none, expected at least one fault of the scenario: cut, kill, then',
    );
  });

  it('is rejected when it is not JSON, and the message holds no terminal control characters', () => {
    expect(() => parseReplay(yaml, 'test.yaml', '{"a\u001b[2J', 'plan.json'))
      .to.throw(ScenarioError)
      .with.property('message')
      .that.matches(/^plan\.json:1: found no JSON \(.*\), expected a plan$/)
      .and.not.includes('\u001b');
  });

  it('is rejected when the journey lacks one of its steps', () => {
    const own = yaml
      .replace(
        '  tabs: 2\n  slow-at-logout: 100ms\n',
        `  journey:
    login: { request: { POST: /login, form: { user: "{user}" } } }
    add: { request: { POST: /cart, json: { sku: "{token}" } } }
    read: { request: { GET: /cart }, items: { path: "$.items[*].sku" } }
    anonymous: { status: 401 }
`,
      )
      .replace('modes: [redis]', 'modes: [redis]\nsystem: { backends: { command: node server.js } }');
    expect(() => parseReplay(own, 'own.yaml', writePlan(plan), 'plan.json')).to.throw(
      ScenarioError,
      'a step of the journey',
    );
  });

  it('is rejected when the file is missing or too long', async () => {
    const problem = async (file: string) =>
      (await readReplay('scenarios/kill-one.yaml', file).catch(error => error)).message;
    expect(await problem('no-such.json')).to.equal(
      'no-such.json: found no such file, expected a plan such as reports/kill-one/latest/plan.json',
    );
    expect(planBytesMax).to.be.below(256 * 1024 * 1024);
  });
});
