import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { presetNames } from '#src/shared/package.js';
import { canDrain } from '#src/simulator/cluster/external/external-proxy.js';
import { ScenarioError } from '#src/simulator/errors.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { readPreset } from '#src/simulator/scenario/own-system.js';
import { describeMissingTarget, findMissingTarget, type Scenario } from '#src/simulator/scenario/scenario.js';
import { writeScenario } from '#src/simulator/scenario/write.js';

async function withFolder<T>(files: Readonly<Record<string, string>>, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'preset-test-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function failure(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => expect.fail('it was accepted'),
    (caught: Error) => caught,
  );
  expect(error).to.be.instanceOf(ScenarioError);
  return error.message;
}

const scenarioWith = (proxy: string, faults = '[]', more = '') => `
name: own
why: a test
modes: [sticky]
system:
  backends: { spare: 1 }
  proxy: { ${proxy} }
users: { arrivals: { rate: 10/s, for: 1s } }
faults: ${faults}
${more}`;

describe('the command that starts a proxy', () => {
  it('is refused with {pid}, because it has no process yet', () => {
    const parse = (proxy: string) => () => parseScenario(scenarioWith(proxy), 'own.yaml');
    expect(parse('command: "exec proxy {port} {pid}"')).to.throw(/found \{pid\}, expected one of \{config\}, \{port\}/);
    expect(parse('command: "exec proxy {port}", reload: "kill -HUP {pid}"')).to.not.throw();
  });
});

describe('the presets of proxies', () => {
  for (const name of presetNames())
    it(`${name} says for which operator it is, cites its documentation, and has a mode without affinity`, async () => {
      const preset = await readPreset(name);
      expect(preset.name).to.equal(name);
      expect(preset.for).to.match(/^an? \w+ /);
      expect(preset.documentation.length).to.be.greaterThan(0);
      expect([...(preset.config?.uses ?? [])]).to.include.members(['port', 'backends', 'backends.port', 'affinity']);
      expect(preset.program === undefined || preset.packages?.apt !== undefined).to.equal(true);
    });

  it('can be replaced by a configuration of the user, with the commands of a preset', () =>
    withFolder(
      { 'preset.yaml': 'like: haproxy\nname: ours\nconfig: our.cfg\n', 'our.cfg': 'bind {{port}}' },
      async folder => {
        const [own, base] = await Promise.all([readPreset(path.join(folder, 'preset.yaml')), readPreset('haproxy')]);
        expect(own).to.include({ name: 'ours', command: base.command, directory: base.directory, program: 'haproxy' });
        expect(own.config?.text).to.equal('bind {{port}}');
      },
    ));
});

const refusals: readonly (readonly [what: string, files: Readonly<Record<string, string>>, said: RegExp])[] = [
  [
    'a preset without a command',
    { 'p.yaml': 'name: own' },
    /p\.yaml:1:1: found no command, expected "command".* or "like"/,
  ],
  [
    'an unknown key',
    { 'p.yaml': 'command: x\nreloda: y' },
    /p\.yaml:2:1: unknown key .*"reloda"\. Did you mean "reload"/,
  ],
  ['an unknown placeholder', { 'p.yaml': 'command: x {cfg}' }, /found \{cfg\}, expected one of \{config\}/],
  [
    '{config} without a template',
    { 'p.yaml': 'name: x\ncommand: x {config}' },
    /:2:10: found \{config\} without config/,
  ],
  ['a template that is a folder', { 'p.yaml': 'command: x\nconfig: .' }, /found something that is not a file/],
  [
    'a template that is too large',
    { 'p.yaml': 'command: x\nconfig: a.cfg', 'a.cfg': 'x'.repeat(1_048_577) },
    /a\.cfg: found 1048577 bytes, expected at most 1048576/,
  ],
  ['an unknown preset', { 'p.yaml': 'like: haproxi' }, /unknown proxy "haproxi"\. Did you mean "haproxy"/],
  ['a template that is not there', { 'p.yaml': 'command: x\nconfig: none.cfg' }, /none\.cfg: cannot be read/],
  [
    'a template with a mistake',
    { 'p.yaml': 'command: x\nconfig: a.cfg', 'a.cfg': '\n{{prot}}' },
    /a\.cfg:2: found \{\{prot\}\}/,
  ],
];

describe('reading an external proxy', () => {
  for (const [what, files, said] of refusals)
    it(`refuses ${what} and says where`, () =>
      withFolder(files, async folder => {
        expect(await failure(readPreset(path.join(folder, 'p.yaml')))).to.match(said);
      }));

  it('refuses a configuration file, and says how a preset names it', async () => {
    expect(await failure(readPreset('./our-haproxy.cfg'))).to.match(/is no preset: .* "config: our-haproxy\.cfg"/);
  });

  it('refuses an unknown name and names the nearest', async () => {
    expect(await failure(readPreset('ngix'))).to.match(/unknown proxy "ngix"\. Did you mean "nginx"\?/);
  });

  it('reads the keys of a scenario, relative to its folder, and writes them again', () =>
    withFolder({ 'own.cfg.tmpl': '{{#backends}}{{^draining}}{{port}}{{/draining}}{{/backends}}' }, async folder => {
      const proxy =
        'command: "exec own -f {config}", config: own.cfg.tmpl, reload: "kill -HUP {pid}", ready: { http: /up, within: 3s }, env: { A: "{secret}" }';
      const scenario = parseScenario(scenarioWith(proxy), path.join(folder, 'own.yaml'));
      const { external } = scenario.system.proxy;
      expect(external).to.include({ name: 'own', directory: folder, reload: 'kill -HUP {pid}' });
      expect(external?.ready).to.deep.equal({ http: '/up', withinMs: 3_000 });
      expect(external && canDrain(external)).to.equal(true);
      expect(parseScenario(writeScenario(scenario), '/written.yaml')).to.deep.equal(scenario);
    }));

  for (const [what, proxy, said] of [
    ['a key without a command', 'reload: "kill {pid}"', /:7:\d+: found reload without a command/],
    ['{config} without a template', 'command: "own {config}"', /found \{config\} without system\.proxy\.config/],
    ['an unknown placeholder', 'command: "own {backends}"', /found \{backends\}, expected one of \{config\}/],
  ] as const)
    it(`refuses ${what} in a scenario`, () => {
      expect(() => parseScenario(scenarioWith(proxy), 'own.yaml')).to.throw(ScenarioError, said);
    });
});

function reasonIn(scenario: Scenario): string | undefined {
  const missing = findMissingTarget(scenario, 'sticky');
  return missing && describeMissingTarget(missing);
}

const drains = ['drain', 'scale-in'].map(fault => `[{ id: a, at: 0s, do: ${fault}, target: backend-1 }]`);
const deploys = '[{ id: a, at: 0s, do: deploy, target: backends }]';
const scaleOut = '[{ id: a, at: 0s, do: scale-out, target: backend-4 }]';

describe('a scenario with an external proxy', () => {
  for (const faults of [...drains, scaleOut, deploys])
    it(`is not applicable if the proxy cannot drain: ${faults}`, () => {
      const scenario = parseScenario(scenarioWith('command: own', faults), 'own.yaml');
      expect(reasonIn(scenario)).to.match(/the proxy own has no way to drain a backend.* \(fault a strikes backend/);
      const able = scenarioWith('command: own, set-drain: "own drain {backend}"', faults);
      expect(reasonIn(parseScenario(able, 'own.yaml'))).to.equal(undefined);
    });

  for (const [setting, said] of [
    ['maxconn: 5', /sets system\.proxy\.maxconn, and the template of own has no \{\{maxconn\}\}/],
    ['affinity: temporary', /affinity: temporary, which only the proxy of Holdfast knows/],
    ['policy: rendezvous, hash-key: "cookie:x"', /policy rendezvous, which only the proxy of Holdfast knows/],
  ] as const)
    it(`is not applicable if the proxy does not get the setting ${setting}`, () => {
      expect(reasonIn(parseScenario(scenarioWith(`command: own, ${setting}`), 'own.yaml'))).to.match(said);
      expect(reasonIn(parseScenario(scenarioWith(setting), 'own.yaml'))).to.equal(undefined);
    });
});
