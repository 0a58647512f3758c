import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';
import { writeScenario } from '#src/simulator/scenario/write.js';

const folders = ['scenarios', 'examples'].map(folder => packageFile(folder));
const files = folders.flatMap(folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.yaml') && !/node_modules|compose/.test(name))
    .map(name => path.join(folder, name)),
);

function isScenario(file: string): boolean {
  return /^expect:/m.test(readFileSync(file, 'utf8'));
}

const scenarios = files
  .filter(isScenario)
  .map((file): [string, Scenario] => [path.basename(file), parseScenario(readFileSync(file, 'utf8'), file)]);

describe('writing a scenario file', () => {
  it('finds scenarios with a journey of its own, and with a store that is not plain', () => {
    expect(scenarios.length).to.be.greaterThan(40);
    expect(scenarios.some(([, { users }]) => users.journey !== 'shop')).to.equal(true);
    expect(scenarios.some(([, { system }]) => system.redis.replicas > 0)).to.equal(true);
  });

  for (const [name, scenario] of scenarios) {
    it(`writes ${name} so that the parser makes the same scenario of it`, () => {
      expect(parseScenario(writeScenario(scenario), '/written.yaml')).to.deep.equal(scenario);
    });
  }

  it('writes options that two faults share twice, since the parser accepts no alias', () => {
    const [, scenario] = scenarios.find(([name]) => name === 'kill-one.yaml') ?? expect.fail('no such scenario');
    const options = { 'for-backends': ['backend-1'] };
    const faults = ['first', 'second'].map(id => ({
      ...{ id, trigger: { atMs: 0 }, do: 'promote', target: 'redis.replica-1', options },
    }));
    expect(writeScenario({ ...scenario, faults })).not.to.match(/[&*]a1/);
  });
});
