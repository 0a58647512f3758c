import path from 'node:path';
import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { expectationsOf } from '#src/simulator/scenario/scenario.js';
import { complaint } from './broken-scenario.js';

const withSystem = (system: string, fault = 'do: kill, target: backend-1'): string => `name: own
why: To be broken.
modes: [redis]
system: ${system}
users: { arrivals: { rate: 20/s, for: 1s } }
faults:
  - { id: f, at: 1s, for: 1s, ${fault} }
`;

const members = (driver: string) =>
  `{ target: "http://localhost:1", members: { driver: ${driver}, selector: app=shop } }`;
const exec = 'do: exec, inject: "docker kill a", confirm: "true"';

describe('scenario file: the user’s own app', () => {
  it('is a command with a directory relative to the file, and may set the variables of the lab', () => {
    const { backends } = parseScenario(
      withSystem(
        '{ backends: { command: "npm start", directory: app, env: { PORT: "{port}", REDIS_URL: "{store}" } } }',
      ),
      '/work/tests/own.yaml',
    ).system;
    expect(backends).to.deep.equal({
      ...{ count: 3, spare: 0 },
      env: { PORT: '{port}', REDIS_URL: '{store}' },
      own: { command: 'npm start', directory: '/work/tests/app', ready: { http: '/', withinMs: 10_000 } },
    });
    const here = parseScenario(
      withSystem('{ backends: { command: a, ready: { http: /up, within: 30s } } }'),
      'own.yaml',
    );
    expect(here.system.backends.own).to.deep.include({
      directory: path.resolve('.'),
      ready: { http: '/up', withinMs: 30_000 },
    });
  });

  it('is an address that only exec faults can break', () => {
    const { system, faults } = parseScenario(withSystem('{ target: "http://127.0.0.1:8080/" }', exec), 'own.yaml');
    expect(system.target).to.equal('http://127.0.0.1:8080');
    expect(faults[0]).to.deep.include({ target: 'system', options: { inject: 'docker kill a', confirm: 'true' } });
  });

  for (const [what, text, at, said] of [
    [
      'an address on another machine',
      withSystem('{ target: "http://example.com" }', exec),
      4,
      'a loopback address such as',
    ],
    ['an impossible port', withSystem('{ target: "http://127.0.0.1:99999" }', exec), 4, 'a loopback address'],
    ['an address without a scheme', withSystem('{ target: "127.0.0.1:80" }', exec), 4, 'a loopback address such as'],
    [
      'a member of a system that the lab did not start',
      withSystem('{ target: "http://localhost:1" }'),
      7,
      'cannot break its members: add system.members, or use "do: exec"',
    ],
    [
      'a member without a word about how members are struck',
      withSystem('{ target: "http://localhost:1" }', 'do: kill, target: member-1'),
      7,
      'found "member-1", expected system.members, which says how',
    ],
    [
      'a backend beside members that the lab did not start',
      withSystem(members('docker'), 'do: kill, target: backend-1'),
      7,
      'use member-1, member-2, member-any or backends',
    ],
    [
      'a driver that does not exist',
      withSystem(members('dokcer'), exec),
      4,
      'unknown driver "dokcer". Did you mean "docker"?',
    ],
    [
      'a fault for which the driver has no command',
      withSystem(members('{ alive: "true", kill: "kill {member}" }'), 'do: hang, target: member-1'),
      7,
      'this driver has no command to hang a member',
    ],
    [
      'a placeholder that no command of a driver has',
      withSystem(members('{ alive: "look {pod}" }'), exec),
      4,
      'found {pod}, expected {member} or {selector}',
    ],
    [
      'members without an address',
      withSystem('{ members: { driver: docker, selector: app=shop } }', exec),
      4,
      'found members without a target, expected both',
    ],
    [
      'a fault that no driver can do',
      withSystem(members('podman'), 'do: drain, target: member-1'),
      7,
      'found the member member-1, expected a backend: "drain" cannot break anything else',
    ],
    [
      'commands of a driver without "alive"',
      withSystem(members('{ kill: "kill {member}" }'), exec),
      4,
      'system.members.driver.alive is missing, expected a command such as',
    ],
    [
      'a member that no driver has',
      withSystem(members('docker'), 'do: kill, target: member-0'),
      7,
      'unknown target "member-0". Did you mean "member-1"? Known: member-1, member-2, member-any, backends, system.',
    ],
    [
      'backends beside an address',
      withSystem('{ target: "http://localhost:1", backends: { count: 2 } }', exec),
      4,
      'found backends beside target',
    ],
    [
      'an unknown placeholder',
      withSystem('{ backends: { command: "node {prot}" } }'),
      4,
      'found {prot}, expected one of {port}, {name}',
    ],
    [
      'the address of a store in a command',
      withSystem('{ backends: { command: "node {redis}" } }'),
      4,
      'found {redis}, expected one of {port}, {name}',
    ],
    [
      'an unknown placeholder in a variable',
      withSystem('{ backends: { command: a, env: { A: "{stroe}" } } }'),
      4,
      'found {stroe}, expected one of {port}, {name}, {run-dir}, {store}',
    ],
    [
      'an unknown part of an address',
      withSystem('{ backends: { command: a, env: { A: "{redis.hots}" } } }'),
      4,
      'found {redis.hots}, expected one of {port}, {name}, {run-dir}, {store}, {redis}, {redis.host}, {redis.port}',
    ],
    [
      'a part of an address in a command',
      withSystem('{ backends: { command: "node {redis.host}" } }'),
      4,
      'found {redis.host}, expected one of {port}, {name}, {run-dir}',
    ],
    [
      'a directory without a command',
      withSystem('{ backends: { directory: app } }'),
      4,
      'found directory without a command',
    ],
    [
      'a readiness check without a command',
      withSystem('{ backends: { ready: { http: /up } } }'),
      4,
      'found ready without a command',
    ],
    [
      'secrets with a program of the user',
      withSystem('{ backends: { command: a } }', 'do: rotate-secrets, target: secrets'),
      7,
      'your own program does not read the key ring of the lab',
    ],
    ['exec of a backend', withSystem('{}', `${exec}, target: backend-1`), 7, 'expected the target "system"'],
    ['exec without commands', withSystem('{}', 'do: exec'), 7, 'inject is missing, expected a command such as'],
  ] as const)
    it(`refuses ${what}`, () => {
      const lines = complaint(text, 'own.yaml').split('\n');
      expect(
        lines.filter(line => line.startsWith(`own.yaml:${at}:`) && line.includes(said)),
        lines.join('\n'),
      ).to.have.length(1);
    });

  it('says one thing about a member whose driver cannot be read', () => {
    const text = withSystem(members('dokcer'), 'do: kill, target: member-1');
    expect(complaint(text, 'own.yaml').split('\n')).to.have.length(1);
  });

  it('does not replace shell variables', () => {
    const command = `node $${'{app}'} {port}`;
    const text = withSystem(`{ backends: { command: "${command}" } }`);
    expect(parseScenario(text, 'own.yaml').system.backends.own?.command).to.equal(command);
  });

  const journeyOf = (more: string) =>
    `{ login: { request: { POST: "/{user}" } }, add: { request: { POST: "/{token}" } }, read: { request: { GET: / }, items: $ },
      anonymous: { status: 401 }${more} }`;
  const step = '{ request: { POST: /x }, who: $.me }';

  for (const [metric, part, more, cookie] of [
    ['users.identitySwapped', '"who" in one of its steps', `, whoami: ${step}`, ''],
    ['users.logoutNotHonoured', 'a step "logout"', `, logout: ${step}`, ''],
    ['users.sessionKept', 'users.cookie', '', ', cookie: sid'],
    ['writes.resurrected', 'a step "remove"', `, remove: ${step.replace('/x', '"/{token}"')}`, ''],
  ] as const)
    it(`may expect ${metric} only with a journey that can measure it`, () => {
      const withJourney = (journey: string, users: string) =>
        withSystem('{ backends: { command: a } }').replace('for: 1s } }', `for: 1s }, journey: ${journey}${users} }`);
      const expectation = `expect: { any: [${metric} == 0] }\n`;
      expect(complaint(`${withJourney(journeyOf(''), '')}${expectation}`, 'own.yaml')).to.include(
        `found ${metric}, but the journey of this file cannot measure it without ${part}: add that, or remove the line`,
      );
      const scenario = parseScenario(`${withJourney(journeyOf(more), cookie)}${expectation}`, 'own.yaml');
      expect(expectationsOf(scenario, 'redis')).to.have.length(1);
    });
});
