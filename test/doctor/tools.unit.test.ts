/** Compares the table of tools with the registries. The table says what does not work without each tool. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { diagnose } from '#src/doctor/findings.js';
import { modeNames, modes } from '#src/modes.js';
import { packageFile, presetNames } from '#src/shared/package.js';
import { findProgram, findToolName, isAtLeast } from '#src/shared/tools.mjs';
import { drivers } from '#src/simulator/cluster/external/drivers.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import { readPreset } from '#src/simulator/scenario/own-system.js';
import { needsOwnNetwork, type Scenario } from '#src/simulator/scenario/scenario.js';
import { facts } from './facts.js';

const stores = ['redis', 'memcached', 'postgres'] as const;

describe('what the doctor says about each tool', () => {
  let scenarios: readonly Scenario[];

  before(async () => {
    const files = readdirSync(packageFile('scenarios')).filter(file => file.endsWith('.yaml'));
    scenarios = await Promise.all(files.map(file => readScenario(path.join(packageFile('scenarios'), file))));
  });

  for (const store of stores) {
    const own = modeNames.filter(mode => modes[mode].store === store);

    it(`names each mode that needs ${store}, and no other`, () => {
      expect(modeNames.filter(mode => words(useOf(store)).includes(mode))).to.deep.equal(own);
    });

    it(`names each scenario that only modes with ${store} can run`, () => {
      const only = scenarios.filter(({ modes: its }) => its.every(mode => (own as readonly string[]).includes(mode)));
      expect(only.length).to.be.greaterThan(0);
      expect(only.map(({ name }) => name).filter(name => !isNamed(useOf(store), name))).to.deep.equal([]);
    });
  }

  it('names each fault and each scenario that strikes packets', () => {
    const names = [
      ...Object.keys(faults).filter(name => faults[name]?.needsOwnNetwork),
      ...scenarios.filter(needsOwnNetwork).map(({ name }) => name),
    ];
    expect(names.length).to.be.greaterThan(5);
    for (const tool of ['iptables', 'iproute2', 'util-linux'])
      expect(names.filter(name => !isNamed(useOf(tool), name))).to.deep.equal([]);
  });

  it('names each preset of a proxy with the tool that has its program', async () => {
    const presets = await Promise.all(presetNames().map(readPreset));
    const lacking = presets.filter(({ name, program }) => {
      if (program === undefined) return false;
      const tool = findToolName(program);
      return tool === undefined || !words(useOf(tool)).includes(name);
    });
    expect(lacking.map(({ name }) => name)).to.deep.equal([]);
  });

  it('names each driver with the tool that has its program', () => {
    const lacking = Object.entries(drivers).filter(([name, { program }]) => {
      const tool = findToolName(program);
      return tool === undefined || !words(useOf(tool)).includes(name);
    });
    expect(lacking.map(([name]) => name)).to.deep.equal([]);
  });
});

describe('the table of tools', () => {
  for (const [given, name] of [
    ['redis', 'redis'],
    ['valkey-server', 'redis'],
    ['ip', 'iproute2'],
    ['docker', 'docker'],
    ['toString', undefined],
    ['redis-serve', undefined],
  ] as const)
    it(`finds ${given} as ${name}`, () => expect(findToolName(given)).to.equal(name));

  for (const [version, least, is] of [
    ['7.0.15', '6.2', true],
    ['6.2', '6.2', true],
    ['6.2.0', '6.2', true],
    ['6', '6.2', false],
    ['6.0.16', '6.2', false],
    ['5.9.9', '6.2', false],
    ['10.0', '6.2', true],
    ['1.4.10', '1.4.8', true],
    ['1.4.7', '1.4.8', false],
    ['20.9.0', '20.19', false],
    ['22.1.0', '20.19', true],
  ] as const)
    it(`says that ${version} is ${is ? '' : 'not '}at least ${least}`, () =>
      expect(isAtLeast(version, least)).to.equal(is));

  it('takes no folder for a program', () => {
    expect(findProgram(['bin'], '/usr')).to.equal(undefined);
    expect(findProgram(['no-such-program', 'sh'], '/bin')).to.equal('/bin/sh');
  });
});

function useOf(name: string): string {
  return diagnose({ ...facts, isClone: true }).find(finding => finding.name === name)?.use ?? '';
}

function words(text: string): readonly string[] {
  return text.split(/[\s,:]+/);
}

/** A text names `redis-aof` by its name or as `redis-*`. */
function isNamed(text: string, name: string): boolean {
  return words(text).some(word => word === name || (word.endsWith('*') && name.startsWith(word.slice(0, -1))));
}
