import { expect } from 'chai';
import fc from 'fast-check';
import { ScenarioError } from '#src/simulator/errors.js';
import { generateSteps, habitsOf, makePlan, planDurationMs } from '#src/simulator/plan/plan.js';
import type { PlannedStep, PlannedUser } from '#src/simulator/plan/planned-user.js';
import { drawExponential, logNormal, pick, pickWeighted, randomStream } from '#src/simulator/plan/random.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';

const base = parseScenario(
  `name: test
why: For tests.
modes: [sticky]
users:
  arrivals: { rate: 30/s, for: 1s }
  think: { median: 50ms, p95: 200ms }
phases: { warmup: 500ms, baseline: 1s, faults: 2s, recovery: 1s }
faults:
  - { id: one, at: 0s, do: kill, target: backend-any, for: 1s }
  - { id: two, after: one, do: kill, target: backend-any, for: 1s }
  - { id: three, at: 0s, do: kill, target: redis, for: 1s }
`,
  'test.yaml',
);

const seeds = fc.integer({ min: 0, max: 2 ** 40 });

function arriving(changes: Partial<Scenario['users']['arrivals']>, from = base): Scenario {
  return { ...from, users: { ...from.users, arrivals: { ...from.users.arrivals, ...changes } } };
}

function recovering(recoveryMs: number): Scenario {
  return { ...base, phases: { ...base.phases, recoveryMs } };
}

const randomPlans = fc.sample(seeds, 30).map(seed => makePlan(base, seed));

/** Checks a property for every user of many plans. An error names the seed of its plan. */
function everyUser(holds: (user: PlannedUser) => void): void {
  for (const { seed, users } of randomPlans) {
    try {
      for (const user of users) holds(user);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`);
    }
  }
}

describe('plan', () => {
  it('is the same, byte for byte, for the same scenario and seed, and differs for another seed', () => {
    fc.assert(
      fc.property(seeds, seed => {
        const text = JSON.stringify(makePlan(base, seed));
        expect(JSON.stringify(makePlan(structuredClone(base), seed))).to.equal(text);
        expect(JSON.stringify(makePlan(base, seed + 1).users)).not.to.equal(JSON.stringify(makePlan(base, seed).users));
      }),
      { numRuns: 20 },
    );
  });

  it('survives being written and read', () => {
    const plan = makePlan(base, 42);
    expect(JSON.parse(JSON.stringify(plan))).to.deep.equal(plan);
  });

  it('names users in the order of their arrival', () => {
    const { users } = makePlan(base, 42);
    expect(users.map(({ name }) => name)).to.deep.equal(users.map((_, index) => `user-${index + 1}`));
    const arrivals = users.map(({ steps }) => steps[0]?.atMs ?? Number.NaN);
    expect(arrivals).to.deep.equal(arrivals.toSorted((a, b) => a - b));
    expect(arrivals.every(atMs => atMs < 1000)).to.equal(true);
  });

  it('lasts from the start of the warmup to the end of the recovery', () => {
    expect(planDurationMs(base)).to.equal(4500);
    everyUser(({ steps }) => expect(steps.every(({ atMs }) => atMs < 4500)).to.equal(true));
  });

  it('puts at least a millisecond between two steps of a user', () => {
    everyUser(({ steps }) => {
      const close = pairs(steps).filter(([before, after]) => !(after.atMs >= before.atMs + 1));
      expect(close).to.deep.equal([]);
    });
    const alone = arriving({ maxActive: 1 });
    const hasty = { ...alone, users: { ...alone.users, think: { medianMs: 1, p95Ms: 5 } } };
    const steps = makePlan(hasty, 42).users.flatMap(user => user.steps);
    expect(pairs(steps).filter(([before, after]) => after.atMs <= before.atMs)).to.deep.equal([]);
  });

  it('begins with a login and an add, and does so again after every logout', () => {
    everyUser(({ steps }) => {
      expect(steps[0]?.kind).to.equal('login');
      const wrong = pairs(steps).filter(
        ([before, after]) =>
          (before.kind === 'login' && after.kind !== 'add') || (after.kind === 'login') !== (before.kind === 'logout'),
      );
      expect(wrong).to.deep.equal([]);
    });
  });

  it('reads right before every logout', () => {
    everyUser(({ steps }) => {
      for (const [before, after] of pairs(steps)) if (after.kind === 'logout') expect(before.kind).to.equal('read');
    });
  });

  it('adds no token twice in the whole run', () => {
    fc.assert(
      fc.property(seeds, seed => {
        const added = makePlan(base, seed).users.flatMap(user => tokens(user, 'add'));
        expect(new Set(added).size).to.equal(added.length);
        expect(added.every(token => /^user-\d+\.\d+$/.test(token))).to.equal(true);
      }),
      { numRuns: 20 },
    );
  });

  it('removes only items that were added since the latest login, each once', () => {
    let removed = 0;
    everyUser(({ steps }) => {
      let cart = new Set<string>();
      for (const { kind, token = '' } of steps) {
        if (kind === 'login') cart = new Set();
        if (kind === 'add') cart.add(token);
        if (kind !== 'remove') continue;
        if (!cart.delete(token)) expect.fail(`${token} is not in the cart`);
        removed += 1;
      }
    });
    expect(removed).to.be.greaterThan(100);
  });

  it('gives tokens only to adds and removes', () => {
    everyUser(({ steps }) => {
      const wrong = steps.filter(({ kind, token }) => (token !== undefined) !== (kind === 'add' || kind === 'remove'));
      expect(wrong).to.deep.equal([]);
    });
  });

  it('follows the weights, roughly', () => {
    const steps = makePlan(recovering(60_000), 42).users.flatMap(user => user.steps);
    const share = (kind: PlannedStep['kind']) => steps.filter(step => step.kind === kind).length / steps.length;
    expect(share('add')).to.be.within(0.45, 0.58);
    expect(share('read')).to.be.within(0.22, 0.32);
    expect(share('whoami')).to.be.within(0.07, 0.13);
    expect(share('remove')).to.be.within(0.05, 0.1);
    expect(share('logout')).to.be.within(0.02, 0.06);
  });

  it('resolves backend-any for each fault separately, and keeps other targets', () => {
    const targets = Array.from({ length: 60 }, (_, seed) => makePlan(base, seed).faults.map(({ target }) => target));
    expect(new Set(targets.map(([one]) => one))).to.deep.equal(new Set(['backend-1', 'backend-2', 'backend-3']));
    expect(targets.some(([one, two]) => one !== two)).to.equal(true);
    expect(targets.every(([, , three]) => three === 'redis')).to.equal(true);
  });
});

describe('a plan with several tabs', () => {
  const tabs = (count: number, slowAtLogoutMs?: number): Scenario => ({
    ...base,
    users: { ...base.users, tabs: count, slowAtLogoutMs },
  });
  const users = (scenario: Scenario, seed = 42) => makePlan(scenario, seed).users;

  it('is the same, byte for byte, as a plan without tabs when there is one tab', () => {
    expect(JSON.stringify(users(base)))
      .to.not.include('beside')
      .and.not.include('slowMs');
    expect(users(tabs(1))).to.deep.equal(users(base));
  });

  it('sometimes has an add in each tab and a read at the same time, and waits only for the last add', () => {
    const groups = users(tabs(3)).flatMap(({ steps }) =>
      [...new Set(steps.map(({ atMs }) => atMs))].map(instant => steps.filter(({ atMs }) => atMs === instant)),
    );
    const [alone, together] = [1, 4].map(size => groups.filter(group => group.length === size));
    expect(Number(alone?.length) + Number(together?.length)).to.equal(groups.length);
    expect(together?.length).to.be.greaterThan(30);
    for (const group of together ?? []) {
      expect(group.map(({ kind, beside }) => [kind, beside])).to.deep.equal([
        ['add', true],
        ['read', true],
        ['add', true],
        ['add', undefined],
      ]);
    }
    expect(alone?.flat().some(({ beside }) => beside)).to.equal(false);
    const added = users(tabs(3)).flatMap(user => tokens(user, 'add'));
    expect(new Set(added).size).to.equal(added.length);
  });

  it('has the same steps at the same times with two tabs as with five, except for the parallel adds', () => {
    const wishes = (count: number) =>
      users(tabs(count)).map(({ steps }) =>
        steps.filter(({ beside }) => !beside).map(({ atMs, kind }) => (kind === 'remove' ? [atMs] : [atMs, kind])),
      );
    expect(wishes(5)).to.deep.equal(wishes(2));
  });

  it('has every logout a millisecond after an add in another tab, if the app cannot be slow', () => {
    const request = { method: 'GET', path: '/' } as const;
    const step = { request };
    const journey = { login: step, add: step, read: { request, items: {} }, logout: step, anonymous: {}, carry: {} };
    const own: Scenario = { ...base, users: { ...base.users, slowAtLogoutMs: 400, journey } };
    const logouts = users(own).flatMap(({ steps }) => pairs(steps).filter(([, { kind }]) => kind === 'logout'));
    expect(logouts.length).to.be.greaterThan(10);
    for (const [add, logout] of logouts) expect(add).to.include({ kind: 'add', beside: true, atMs: logout.atMs - 1 });
  });

  it('has every logout in the middle of a slow add, if the scenario says so', () => {
    const met = users(tabs(1, 400)).flatMap(({ steps }) =>
      pairs(steps)
        .filter(([, { kind }]) => kind === 'logout')
        .map(([slow, logout]) => ({ slow, logout })),
    );
    expect(met.length).to.be.greaterThan(10);
    for (const { slow, logout } of met) {
      expect(slow).to.include({ kind: 'add', beside: true, slowMs: 400, atMs: logout.atMs - 200 });
    }
    expect(
      users(tabs(1, 400)).flatMap(({ steps }) => steps.filter(({ slowMs }) => slowMs === undefined)),
    ).to.not.satisfy((steps: PlannedStep[]) => steps.some(({ beside }) => beside));
  });
});

describe('a plan with a mix of steps', () => {
  const kindsOf = (mix: Scenario['users']['mix']) => {
    const scenario = { ...base, users: { ...base.users, ...(mix === undefined ? {} : { mix }) } };
    return makePlan(scenario, 1).users.flatMap(({ steps }) => steps.slice(2).map(({ kind }) => kind));
  };

  it('chooses steps by their weights, and none that the mix omits', () => {
    const kinds = kindsOf({ add: 1, read: 3 });
    expect(new Set(kinds)).to.deep.equal(new Set(['add', 'read']));
    expect(kinds.filter(kind => kind === 'read').length / kinds.length).to.be.within(0.7, 0.8);
  });
});

describe('a plan with custom user names', () => {
  const named = (names: string | readonly string[]): Scenario => ({ ...base, users: { ...base.users, names } });
  const plain = makePlan(base, 1);

  it('has the same times and items as with the default names', () => {
    const { users } = makePlan(named('shopper{n}@example.com'), 1);
    expect(users.map(({ name }) => name)).to.deep.equal(plain.users.map((_, at) => `shopper${at + 1}@example.com`));
    expect(users.map(({ steps }) => steps)).to.deep.equal(plain.users.map(({ steps }) => steps));
    const list = plain.users.map((_, at) => `u.${at}`);
    expect(makePlan(named(list), 1).users.map(({ name }) => name)).to.deep.equal(list);
  });

  it('is rejected when more users arrive than there are names', () => {
    expect(() => makePlan(named(['anna', 'berta']), 1)).to.throw(
      ScenarioError,
      /found 2 names for \d+ users that come/,
    );
  });
});

describe('arrivals of a plan', () => {
  it('are evenly spaced when they are uniform', () => {
    const { users } = makePlan(arriving({ process: 'uniform', ratePerSecond: 4 }), 1);
    expect(users.map(({ steps }) => steps[0]?.atMs)).to.deep.equal([0, 250, 500, 750]);
  });

  it('have the rate on average when they are a Poisson process', () => {
    const counts = Array.from({ length: 100 }, (_, seed) => makePlan(arriving({ forMs: 500 }), seed).users.length);
    expect(counts.reduce((sum, count) => sum + count, 0) / 100).to.be.within(13.5, 16.5);
    expect(new Set(counts).size).to.be.greaterThan(5);
  });

  it('are limited by max-active, which does not change the earlier ones', () => {
    const bounded = makePlan(arriving({ maxActive: 7 }), 42).users;
    expect(bounded).to.deep.equal(makePlan(base, 42).users.slice(0, 7));
  });

  it('are rejected when a plan cannot hold the users, with a message that says what to lower', () => {
    const crowd = arriving({ ratePerSecond: 1_000_000, maxActive: 1_000_000, forMs: 4500 });
    const short = { ...crowd, users: { ...crowd.users, think: { medianMs: 60_000, p95Ms: 60_000 } } };
    expect(() => makePlan(short, 1)).to.throw(
      ScenarioError,
      'more than 100,000 users, which is the limit: lower users.arrivals.rate',
    );
  });

  it('are rejected when a plan cannot hold the steps, with a message that says what to lower', function () {
    this.timeout(20_000);
    const busy = arriving({ ratePerSecond: 1000, maxActive: 1000 }, recovering(600_000));
    // Reads without think time are the cheapest steps.
    const fast = { ...busy, users: { ...busy.users, think: { medianMs: 1, p95Ms: 1 }, mix: { read: 1 } } };
    expect(() => makePlan(fast, 1)).to.throw(
      ScenarioError,
      'more than 2,000,000 steps, which is the limit: lower users.arrivals.rate',
    );
  });
});

describe('random streams in a plan', () => {
  it('make a longer run begin with the steps of a shorter run, for every user', () => {
    fc.assert(
      fc.property(seeds, seed => {
        const longer = makePlan(recovering(3000), seed).users;
        for (const [index, { name, steps }] of makePlan(base, seed).users.entries()) {
          expect(longer[index]?.name).to.equal(name);
          expect(longer[index]?.steps.slice(0, steps.length)).to.deep.equal(steps);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('do not change what users do when the faults change', () => {
    expect(makePlan({ ...base, faults: base.faults.slice(1) }, 42).users).to.deep.equal(makePlan(base, 42).users);
    expect(makePlan({ ...base, faults: base.faults.slice(1) }, 42).faults).to.deep.equal(
      makePlan(base, 42).faults.slice(1),
    );
  });

  it('do not change what users do when they think longer', () => {
    const slower = { ...base, users: { ...base.users, think: { medianMs: 100, p95Ms: 400 } } };
    const wishes = (user: PlannedUser | undefined) => user?.steps.map(({ kind, token }) => ({ kind, token }));
    const fast = makePlan(base, 42).users;
    for (const [index, user] of makePlan(slower, 42).users.entries()) {
      expect(wishes(user)).to.deep.equal(wishes(fast[index])?.slice(0, user.steps.length));
    }
  });

  it('differ by name and by seed, and repeat', () => {
    const draw = (seed: number, name: string) => Array.from({ length: 8 }, randomStream(seed, name));
    expect(draw(1, 'a')).to.deep.equal(draw(1, 'a'));
    expect(draw(1, 'a')).not.to.deep.equal(draw(1, 'b'));
    expect(draw(1, 'a')).not.to.deep.equal(draw(2, 'a'));
  });
});

describe('steps without end', () => {
  it('begin with those of a plan, and go on in the same way', () => {
    const scenario = recovering(1_000);
    const [user] = makePlan(scenario, 42).users;
    const steps: PlannedStep[] = [];
    for (const step of generateSteps({ id: 'user-1' }, user?.steps[0]?.atMs ?? 0, habitsOf(scenario), 42)) {
      if (steps.length === 1_000) break;
      steps.push(step);
    }
    expect(steps.slice(0, user?.steps.length)).to.deep.equal(user?.steps);
    expect(steps.filter(({ kind }) => kind === 'login').length).to.be.above(10);
    expect(steps.every(({ atMs }, index) => index === 0 || atMs > Number(steps[index - 1]?.atMs))).to.equal(true);
  });
});

describe('random numbers', () => {
  const sample = (draw: () => number) => Array.from({ length: 20_000 }, draw).sort((a, b) => a - b);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it('are uniform over [0, 1)', () => {
    const values = sample(randomStream(1, 'uniform'));
    expect(values[0]).to.be.at.least(0);
    expect(values.at(-1)).to.be.below(1);
    expect(mean(values)).to.be.within(0.49, 0.51);
    expect(values[5000]).to.be.within(0.24, 0.26);
  });

  it('are exponential with the given mean', () => {
    const random = randomStream(1, 'exponential');
    const values = sample(() => drawExponential(random, 10));
    expect(mean(values)).to.be.within(9.7, 10.3);
    expect(values[10_000]).to.be.within(6.6, 7.2);
  });

  it('are log-normal with the given median and 95th percentile', () => {
    const random = randomStream(1, 'log-normal');
    const values = sample(() => logNormal(random, 100, 500));
    expect(values[10_000]).to.be.within(96, 104);
    expect(values[19_000]).to.be.within(470, 530);
  });

  it('equal the median when the 95th percentile is not larger', () => {
    expect(logNormal(randomStream(1, 'flat'), 100, 100)).to.equal(100);
  });

  it('pick every item, nothing from an empty list, and by weight', () => {
    const random = randomStream(1, 'pick');
    expect(new Set(Array.from({ length: 50 }, () => pick(random, ['a', 'b', 'c'])))).to.have.keys('a', 'b', 'c');
    expect(pick(random, [])).to.equal(undefined);
    const picked = Array.from({ length: 4000 }, () =>
      pickWeighted(random, [
        ['often', 3],
        ['never', 0],
        ['rarely', 1],
      ]),
    );
    expect(picked).not.to.include('never');
    expect(picked.filter(name => name === 'often').length).to.be.within(2850, 3150);
  });
});

function pairs(steps: readonly PlannedStep[]): (readonly [PlannedStep, PlannedStep])[] {
  return steps.flatMap((after, index) => {
    const before = steps[index - 1];
    return before === undefined ? [] : [[before, after] as const];
  });
}

function tokens(user: PlannedUser, kind: PlannedStep['kind']): string[] {
  return user.steps.flatMap(step => (step.kind === kind && step.token !== undefined ? [step.token] : []));
}
