import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { writeScenario } from '#src/simulator/scenario/write.js';
import { complaint } from './broken-scenario.js';

const withDeploy = (options: string, backends = '{ count: 2, spare: 1 }'): string => `name: deploy
why: To be replaced.
modes: [sticky]
system: { backends: ${backends} }
users: { arrivals: { rate: 20/s, for: 1s } }
faults:
  - { id: f, at: 0s, do: deploy, target: backends${options} }
`;

describe('scenario file: a deploy', () => {
  it('is healed when its rollback is due, unless "for" says otherwise', () => {
    const forOf = (options: string) => parseScenario(withDeploy(options), 'deploy.yaml').faults[0]?.forMs;
    expect(forOf('')).to.equal(undefined);
    expect(forOf(', rollback: after 2s')).to.equal(2_000);
    expect(forOf(', rollback: after 2s, for: 3s')).to.equal(3_000);
  });

  it('keeps its options as written', () => {
    const options = ', to: { env: { COLOUR: blue } }, surge: 1, unavailable: 0, canary: 10 %, pause: 1s';
    expect(parseScenario(withDeploy(options), 'deploy.yaml').faults[0]?.options).to.deep.equal({
      ...{ to: { env: { COLOUR: 'blue' } }, surge: 1, unavailable: 0, canary: '10 %', pause: '1s' },
    });
  });

  it('is the same after it was written and read again', () => {
    const options = ', to: { env: { COLOUR: blue } }, rollback: after 500ms';
    const scenario = parseScenario(withDeploy(options), 'deploy.yaml');
    expect(parseScenario(writeScenario(scenario), 'deploy.yaml').faults).to.deep.equal(scenario.faults);
  });

  const own = '{ count: 2, command: node a.js }';
  for (const [what, options, said, backends] of [
    ['a surge without spare backends', ', surge: 2', 'found surge 2, expected at most the 1 of system.backends.spare'],
    ['neither surge nor unavailable', ', surge: 0, unavailable: 0', 'with which nothing can be replaced'],
    ['more unavailable than there are', ', unavailable: 3', 'found unavailable 3, expected at most the 2 backends'],
    ['a pause without a canary', ', pause: 1s', 'found pause without a canary'],
    ['a canary of all backends', ', canary: 100 %', 'found "100 %", expected a share from 1 % to 99 %, such as 10 %'],
    ['a rollback after the phase', ', rollback: after 4s', 'heals 4000ms after the faults phase began'],
    ['a rollback without "after"', ', rollback: 2s', 'found "2s", expected when to roll back, such as "after 2s"'],
    ['a command of the toy shop', ', to: { command: node b.js }', 'the backends are the toy shop'],
    ['a variable of the lab', ', to: { env: { PORT: 1 } }', 'found to.env.PORT, which the lab sets itself'],
    ['an image', ', to: { image: "shop:2" }', 'found to.image, but the backends of the lab run in no containers'],
    ['an unknown key', ', to: { environment: {} }', 'unknown key in to "environment". Known: env, command, image.'],
    ['an unknown placeholder', ', to: { command: "node {prt}" }', 'found {prt}, expected one of {port}', own],
    ['an unknown placeholder in a variable', ', to: { env: { A: "{stre}" } }', 'found {stre}, expected one of', own],
  ] as const)
    it(`refuses ${what}`, () => {
      expect(complaint(withDeploy(options, backends), 'deploy.yaml')).to.include(said);
    });

  it('refuses one backend as its target, and "backends" as the target of another fault', () => {
    const one = withDeploy('').replace('target: backends', 'target: backend-1');
    expect(complaint(one, 'deploy.yaml')).to.include('expected the target "backends"');
    const kill = withDeploy('').replace('do: deploy', 'do: kill');
    expect(complaint(kill, 'deploy.yaml')).to.include('found the backends, expected a backend');
  });
});

describe('scenario file: a deploy and other faults of external members', () => {
  const refusalOf = (fault: string, driver = 'kubectl') => {
    const text = `name: own
why: a test
modes: [redis]
system: { target: "http://127.0.0.1:8080", members: { driver: ${driver}, selector: app=shop } }
users:
  arrivals: { rate: 20/s, for: 1s }
  journey:
    login: { request: { POST: /login, json: { user: "{user}" } } }
    add: { request: { POST: /cart, json: { sku: "{token}" } } }
    read: { request: { GET: /cart }, items: { path: "$.items[*]" } }
    anonymous: { status: 401 }
faults: [{ id: x, at: 0ms, ${fault} }]
`;
    try {
      parseScenario(text, 'own.yaml');
      return 'accepted';
    } catch (error) {
      return String(error);
    }
  };

  for (const [fault, driver, expected] of [
    ['do: deploy, target: backends, to: { image: "shop:2" }, rollback: after 1s', 'kubectl', 'accepted'],
    ['do: deploy, target: backends, surge: 1', 'kubectl', 'found surge, but the workload itself decides'],
    ['do: deploy, target: backends, canary: 10 %', 'kubectl', 'found canary, but the workload itself decides'],
    ['do: deploy, target: backends, to: { command: x }', 'kubectl', 'found to.command, but'],
    ['do: deploy, target: backends', 'podman', 'no driver that can replace versions'],
    ['do: hang, target: member-1', 'kubectl', 'kubectl cannot freeze a pod'],
    ['do: kill, target: member-1', 'kubectl', 'accepted'],
    ['do: stop, target: member-1', '{ alive: a, stop: b, start: c }', 'no command to kill a member'],
  ] as const)
    it(`${expected === 'accepted' ? 'accepts' : 'refuses'} { ${fault} } of ${driver}`, () => {
      expect(refusalOf(fault, driver)).to.include(expected);
    });
});
