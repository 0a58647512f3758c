import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { modeGroups, modeNames } from '#src/modes.js';
import { routingPolicies } from '#src/proxy/routing-policies.js';
import { labVariables } from '#src/simulator/cluster/backend.js';
import { plainStores } from '#src/simulator/cluster/stores/registry.js';
import { ScenarioError } from '#src/simulator/errors.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { parseScenario, readScenario } from '#src/simulator/scenario/file.js';
import { expectationsOf } from '#src/simulator/scenario/scenario.js';
import { policyNames } from '#src/simulator/scenario/schema.js';
import { broken, complaint, good } from './broken-scenario.js';

describe('scenario file', () => {
  it('accepts names of mode groups instead of a list', () => {
    expect(parseScenario(broken('[sticky, redis]', '[all]'), 'test.yaml').modes).to.deep.equal(modeNames);
    expect(parseScenario(broken('[sticky, redis]', '[shared]'), 'test.yaml').modes).to.deep.equal(modeGroups.shared);
    expect(parseScenario(broken('[sticky, redis]', '[sticky, shared]'), 'test.yaml').modes).to.have.members(modeNames);
    expect(modeGroups.shared).to.include('redis').and.not.include('sticky');
  });

  it('applies to a mode the expectations for any mode, then its own or else those of others', () => {
    const scenario = parseScenario(`${good}  others: [writes.stale == 0]\n`, 'test.yaml');
    expect(expectationsOf(scenario, 'sticky')).to.deep.equal(['users.identitySwapped == 0', 'writes.stale == 0']);
    expect(expectationsOf(scenario, 'redis')).to.deep.equal(['users.identitySwapped == 0', 'writes.lost == 0']);
  });

  it('fills in every default', () => {
    const scenario = parseScenario(
      'name: a\nwhy: b\nmodes: [redis]\nusers: { arrivals: { rate: 0.5/s, for: 1min } }\nphases: { recovery: 1min }',
      'a.yaml',
    );
    expect(scenario).to.deep.equal({
      name: 'a',
      why: 'b',
      seed: 1,
      modes: ['redis'],
      system: {
        backends: { count: 3, spare: 0, env: {} },
        proxy: {
          count: 1,
          health: { everyMs: 500, timeoutMs: 300, fall: 2, rise: 2 },
          policy: 'round-robin',
          drainMs: 1000,
        },
        ...plainStores,
      },
      users: {
        arrivals: { ratePerSecond: 0.5, forMs: 60_000, process: 'poisson', maxActive: 400 },
        think: { medianMs: 250, p95Ms: 1000 },
        tabs: 1,
        slowAtLogoutMs: undefined,
        timeoutMs: 5000,
        journey: 'shop',
      },
      phases: { warmupMs: 500, baselineMs: 1500, faultsMs: 3000, recoveryMs: 60_000, quiesceMs: 300 },
      faults: [],
      expect: { any: [] },
    });
  });

  it('reads faults, their triggers, and expectations per mode', () => {
    const scenario = parseScenario(good, 'test.yaml');
    expect(scenario.faults).to.deep.equal([
      { id: 'kill', trigger: { atMs: 1000 }, do: 'kill', target: 'backend-2', forMs: 1000 },
      { id: 'then', trigger: { afterFault: 'kill', delayMs: 500 }, do: 'hang', target: 'redis', forMs: 1000 },
    ]);
    expect(scenario.expect).to.deep.equal({ any: ['users.identitySwapped == 0'], redis: ['writes.lost == 0'] });
  });

  it('reads every setting', () => {
    const scenario = parseScenario(
      broken(
        'users:\n',
        `seed: 7
system:
  backends: { count: 5, spare: 2, env: { SHOP_DEFECT: drop-writes, EVERY: 50, ON: true } }
  proxy: { count: 2, health: { every: 1.5s, timeout: 0.2s, fall: 3, rise: 1 }, policy: rendezvous, hash-key: 'cookie:sid', affinity: on, drain: 0ms }
  redis: { replicas: 1, sentinels: 3, persistence: aof, memory: 9MB, eviction: allkeys-lru }
  memcached: { nodes: 2, memory: 2MB }
  postgres: { commit: asynchronous }
users:
  think: { median: 100ms, p95: 500ms }
  tabs: 4
  slow-at-logout: 400ms
  timeout: 1s
`,
      ).replace('for: 2s }', 'for: 2s, process: uniform, max-active: 9 }'),
      'test.yaml',
    );
    expect(scenario.seed).to.equal(7);
    expect(scenario.system).to.deep.equal({
      backends: { count: 5, spare: 2, env: { SHOP_DEFECT: 'drop-writes', EVERY: '50', ON: 'true' } },
      proxy: {
        count: 2,
        health: { everyMs: 1500, timeoutMs: 200, fall: 3, rise: 1 },
        policy: 'rendezvous',
        hashKey: 'cookie:sid',
        affinity: 'on',
        drainMs: 0,
      },
      redis: { replicas: 1, sentinels: 3, persistence: 'aof', memoryMb: 9, eviction: 'allkeys-lru' },
      memcached: { nodes: 2, memoryMb: 2 },
      postgres: { commit: 'asynchronous' },
    });
    expect(scenario.users).to.deep.equal({
      arrivals: { ratePerSecond: 20, forMs: 2000, process: 'uniform', maxActive: 9 },
      think: { medianMs: 100, p95Ms: 500 },
      tabs: 4,
      slowAtLogoutMs: 400,
      timeoutMs: 1000,
      journey: 'shop',
    });
  });

  it('knows all policies of the proxy', () => {
    expect([...policyNames].sort()).to.deep.equal(Object.keys(routingPolicies).sort());
  });
});

describe('a broken scenario file', () => {
  const cases: readonly (readonly [what: string, text: string, place: string, message: string])[] = [
    ['nothing at all', '', '1:1', 'found nothing, expected a map'],
    ['only comments', '# name: x\n', '1:1', 'found nothing, expected a map'],
    ['a list', '- name: x\n', '1:1', 'found a list, expected a map'],
    ['a key twice', broken('why: To', 'name: again\nwhy: To'), '2:1', 'a key that stands here already'],
    ['a key twice in braces', broken('at: 1s, do', 'at: 1s, at: 2s, do'), '8:25', 'a key that stands here already'],
    ['a tab', broken('  arrivals', '\tarrivals'), '5:1', 'found a tab, expected spaces'],
    [
      'an alias',
      broken('for: 1s }\n  - {', 'for: &d 1s }\n  - {').replace('target: redis, for: 1s', 'target: redis, for: *d'),
      '9:68',
      'found the alias *d',
    ],
    ['a tag', broken('To be broken.', '!!js/function broken'), '2:6', 'a YAML tag that is not known here'],
    ['two documents', `${good}---\n${good}`, '14:1', 'expected one per file'],
    ['an open bracket', broken('[sticky, redis]', '[sticky, redis'), '4:1', 'found invalid YAML'],
    ['far too deep', '['.repeat(50_000), '1:', 'nested too deep'],
    ['far too long', `${good}#${'x'.repeat(256 * 1024)}`, '1:1', 'expected at most 262144'],

    ['an unknown key', broken('why:', 'whi: x\nwhy:'), '2:1', 'unknown key in the scenario "whi". Did you mean "why"?'],
    ['__proto__', broken('why:', '__proto__: {}\nwhy:'), '2:1', 'unknown key in the scenario "__proto__"'],
    ['a missing key', broken('why: To be broken.\n', ''), '1:1', 'why is missing, expected a sentence'],
    ['a missing inner key', broken('rate: 20/s, ', ''), '5:3', 'users.arrivals.rate is missing, expected a rate'],
    [
      'a missing key in a list',
      broken('do: kill, ', ''),
      '8:5',
      'faults[0].do is missing, expected a fault: kill, hang, drain',
    ],
    ['an empty value', broken('rate: 20/s', 'rate: '), '5:21', 'found nothing, expected a rate'],
    [
      'a name with blanks',
      broken('name: test', 'name: Kill one'),
      '1:7',
      'found "Kill one", expected a name in lower case',
    ],
    ['a seed below zero', broken('why:', 'seed: -1\nwhy:'), '2:7', 'found -1, expected a whole number from 0'],
    ['half a seed', broken('why:', 'seed: 1.5\nwhy:'), '2:7', 'found 1.5, expected a whole number'],

    [
      'an unknown mode',
      broken('[sticky, redis]', '[stiky, redis]'),
      '3:9',
      `unknown mode "stiky". Did you mean "sticky"? Known: ${[...modeNames, 'all', 'shared'].join(', ')}.`,
    ],
    ['a mode twice', broken('[sticky, redis]', '[redis, redis]'), '3:8', 'found a mode twice'],
    ['no mode', broken('[sticky, redis]', '[]'), '3:8', 'at least one mode: sticky, redis'],
    ['a mode without a list', broken('[sticky, redis]', 'redis'), '3:8', 'found "redis", expected a list of modes'],

    ['a rate without a unit', broken('20/s', '20'), '5:21', 'found 20, expected a rate'],
    ['a rate of nothing', broken('20/s', '0/s'), '5:21', 'found "0/s", expected a rate from 0.1/s'],
    ['a duration in words', broken('for: 2s', 'for: 2 seconds'), '5:32', 'found "2 seconds", expected a duration'],
    ['a duration without a unit', broken('faults: 4s', 'faults: 4'), '6:19', 'found 4, expected a duration'],
    ['a duration below zero', broken('faults: 4s', 'faults: -4s'), '6:19', 'found "-4s", expected a duration'],
    ['an hour', broken('faults: 4s', 'faults: 60min'), '6:19', 'found "60min", expected a duration from 0ms to 10min'],
    ['arrivals of no length', broken('for: 2s', 'for: 0s'), '5:32', 'found "0s", expected a duration from 1ms'],
    [
      'arrivals beyond the end',
      broken('for: 2s', 'for: 1min'),
      '5:32',
      'arrivals that last 60000ms, expected at most the 7500ms',
    ],
    [
      'a p95 below the median',
      broken('users:\n', 'users:\n  think: { median: 2s, p95: 1s }\n'),
      '5:29',
      'p95 to be at least the median',
    ],
    [
      'an unknown policy',
      broken('users:\n', 'system: { proxy: { policy: roundrobin } }\nusers:\n'),
      '4:28',
      'unknown policy "roundrobin". Did you mean "round-robin"?',
    ],
    [
      'a hundred backends',
      broken('users:\n', 'system: { backends: { count: 100 } }\nusers:\n'),
      '4:30',
      'found 100, expected a whole number from 1 to 20',
    ],
    [
      'a name that is no variable',
      broken('users:\n', 'system: { backends: { env: { A B: 1 } } }\nusers:\n'),
      '4:30',
      'found "A B", expected the name of a variable',
    ],
    [
      'a variable that is a list',
      broken('users:\n', 'system: { backends: { env: { A: [] } } }\nusers:\n'),
      '4:33',
      'found a list, expected text, a number',
    ],

    [
      'an unknown fault',
      broken('do: kill', 'do: kil'),
      '8:29',
      `unknown fault "kil". Did you mean "kill"? Known: ${Object.keys(faults).join(', ')}.`,
    ],
    ['a backend too many', broken('backend-2', 'backend-4'), '8:43', 'unknown target "backend-4"'],
    [
      'a fault that cannot strike a store',
      broken('do: hang', 'do: drain'),
      '9:57',
      'found the store redis, expected a backend',
    ],
    ['an id twice', broken('id: then', 'id: kill'), '9:11', 'found the id "kill" a second time'],
    [
      'after itself',
      broken('after: kill + 500ms', 'after: then'),
      '9:24',
      'unknown earlier fault "then". Known: kill.',
    ],
    ['after a later one', broken('at: 1s', 'after: then + 1s'), '8:24', 'this is the first: write at: 0s'],
    [
      'after with a wrong delay',
      broken('after: kill + 500ms', 'after: kill + soon'),
      '9:24',
      'found "kill + soon", expected an earlier fault and a delay',
    ],
    [
      'two triggers',
      broken('at: 1s', 'at: 1s, after: then'),
      '8:5',
      'found "at" and "after", expected one of the three',
    ],
    ['no trigger', broken('at: 1s, ', ''), '8:5', 'found none of "at", "after" and "when"'],
    [
      'a window too long',
      broken('target: backend-2, for: 1s', 'target: backend-2, for: 3001ms'),
      '8:59',
      'heals 4001ms after the faults phase began at the earliest, expected at most 4000ms',
    ],
    ['a chain too long', broken('kill + 500ms', 'kill + 1.5s'), '9:67', 'heals 4500ms after the faults phase began'],

    [
      'an expectation in prose',
      broken('- writes.lost == 0', '- nothing is lost'),
      '13:7',
      'found "nothing is lost", expected <metric> <operator> <number>',
    ],
    [
      'an unknown metric',
      broken('- writes.lost == 0', '- writes.losst == 0'),
      '13:7',
      'unknown metric "writes.losst". Did you mean "writes.lost"?',
    ],
    ...labVariables.map((name): (typeof cases)[number] => [
      `a variable that the lab sets itself: ${name}`,
      broken('users:\n', `system: { backends: { env: { SHOP: x, ${name}: 1 } } }\nusers:\n`),
      '4:39',
      `found "${name}", which the lab sets itself`,
    ]),
    ['an expectation that is no text', broken('- writes.lost == 0', '- 3'), '13:7', 'found 3, expected an expectation'],
    [
      'expectations without a list',
      broken('[users.identitySwapped == 0]', 'writes.lost == 0'),
      '11:8',
      'expected a list of expectations',
    ],
    [
      'expectations of an unknown mode',
      broken('  redis:\n', '  rediss:\n'),
      '12:3',
      'unknown key in expect "rediss". Did you mean "redis"?',
    ],
    [
      'expectations of a mode that is not run',
      broken('[sticky, redis]', '[sticky]'),
      '12:3',
      'found expectations of the mode "redis", expected a mode of this scenario: sticky',
    ],
    [
      'expectations of others when there are no other modes',
      `${broken('[sticky, redis]', '[redis]')}  others: [writes.stale == 0]\n`,
      '14:3',
      'found expectations of other modes, but every mode of this scenario has a list of its own',
    ],
    [
      'the store in a mode without a store',
      broken('target: redis', 'target: store'),
      '9:56',
      'found "store", but mode sticky has no store server',
    ],
    [
      'a kill of the secrets',
      broken('target: backend-2', 'target: secrets'),
      '8:43',
      'found the secrets, expected a backend or a store',
    ],
    [
      'a rotation of a backend',
      broken('do: kill, target: backend-2', 'do: rotate-secrets, target: backend-2'),
      '8:53',
      'found the backend backend-2, expected the target "secrets": "rotate-secrets" cannot break anything else',
    ],
    ['a mode alone and in its group', broken('[sticky, redis]', '[shared, redis]'), '3:8', 'found a mode twice'],
  ];

  for (const [what, text, place, message] of cases) {
    it(`is refused at the right place: ${what}`, () => {
      const first = complaint(text).split('\n')[0] ?? '';
      expect(first).to.match(new RegExp(`^test\\.yaml:${place}`));
      expect(first).to.include(message);
    });
  }

  /** Keys of future plans or of other tools: a key that does not exist must not be ignored. */
  const notBuilt: readonly (readonly [text: string, message: string])[] = [
    [
      broken('users:\n', 'system: { backends: { comand: node server.js } }\nusers:\n'),
      'unknown key in system.backends "comand"',
    ],
    [
      broken('users:\n', 'system: { memcached: { memory: 0MB } }\nusers:\n'),
      'found "0MB", expected a size from 1MB to 9999MB, such as 64MB',
    ],
    [broken('target: redis', 'target: redis.primary'), 'unknown target "redis.primary"'],
  ];

  for (const [text, message] of notBuilt) {
    it(`is refused, not ignored: ${message}`, () => {
      expect(complaint(text)).to.include(message);
    });
  }

  it('reports every mistake, in the order of the lines', () => {
    const text = broken('modes: [sticky, redis]', 'modes: [stiky]')
      .replace('backend-2', 'backend-9')
      .replace('20/s', 'often')
      .replace('- writes.lost == 0', '- writes.lost = 0');
    const places = complaint(text)
      .split('\n')
      .map(line => line.split(':').slice(1, 3).join(':'));
    expect(places).to.deep.equal(['3:9', '5:21', '8:43', '13:7']);
  });

  it('reports two unknown keys of one map, each at its own place', () => {
    expect(
      complaint(broken('why:', 'foo: 1\nbar: 2\nwhy:'))
        .split('\n')
        .map(line => line.slice(0, 13)),
    ).to.deep.equal(['test.yaml:2:1', 'test.yaml:3:1']);
  });

  it('reports ten mistakes and counts the others', () => {
    const wrong = Array.from({ length: 14 }, (_, index) => `wrong-${index}: 1\n`).join('');
    const lines = complaint(good + wrong).split('\n');
    expect(lines).to.have.length(11);
    expect(lines.at(-1)).to.equal('... and 4 more.');
  });

  it('removes control characters of the file from the message', () => {
    expect(complaint(broken('rate: 20/s', 'rate: "\\e[31m"'))).to.include('found "\\u001b[31m"');
    for (const text of [broken('sticky', '"\\e[31m"'), broken('backend-2', '"\\e[31m"'), broken('why', '"\\e[31m"')])
      expect(complaint(text)).to.include('[31m"').and.not.include('\u001b');
  });

  it('shows only the beginning of a long name', () => {
    expect(complaint(broken('sticky', 'x'.repeat(5_000))))
      .to.include(`"${'x'.repeat(60)}..."`)
      .and.have.length.below(200);
  });
});

describe('reading a scenario', () => {
  it('says which file does not exist', async () => {
    expect(await captureRejection('no-such.yaml')).to.equal(
      'no-such.yaml: found no such file, expected a scenario such as scenarios/kill-one.yaml',
    );
  });

  it('refuses a folder', async () => {
    expect(await captureRejection(tmpdir())).to.include('found something that is not a file');
  });

  it('does not read a file that is too long', async () => {
    await withFile('x'.repeat(256 * 1024 + 1), async file => {
      expect(await captureRejection(file)).to.equal(`${file}:1:1: found 262145 bytes, expected at most 262144`);
    });
  });

  it('names the file by the given path', async () => {
    await withFile(broken('20/s', 'x'), async file => {
      expect(await captureRejection(file)).to.match(/^.*\/scenario\.yaml:5:21: found "x"/);
    });
  });

  it('accepts Windows line ends and a byte order mark', async () => {
    await withFile(`\uFEFF${good.replaceAll('\n', '\r\n')}`, async file => {
      expect((await readScenario(file)).faults).to.have.length(2);
    });
  });
});

async function captureRejection(file: string): Promise<string> {
  const error: unknown = await readScenario(file).then(
    () => undefined,
    reason => reason,
  );
  return error instanceof ScenarioError ? error.message : expect.fail(`not a ScenarioError: ${error}`);
}

async function withFile(text: string, use: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-scenario-'));
  try {
    const file = path.join(folder, 'scenario.yaml');
    await writeFile(file, text);
    await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
