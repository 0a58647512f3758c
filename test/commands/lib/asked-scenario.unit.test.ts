import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { findScenario } from '#src/commands/lib/asked-scenario.js';
import { packageFile, shippedScenarioNames } from '#src/shared/package.js';
import { readScenario } from '#src/simulator/scenario/file.js';

describe('findScenario', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-names-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('finds each shipped scenario by its name, which is also the name in its file', async () => {
    expect(shippedScenarioNames().length).to.be.greaterThan(20);
    for (const name of shippedScenarioNames()) {
      const file = findScenario(name);
      expect(file).to.equal(packageFile(`scenarios/${name}.yaml`));
      expect((await readScenario(file)).name).to.equal(name);
    }
  });

  it('takes a file that exists, also one without an ending', async () => {
    const file = path.join(folder, 'kill-one');
    await writeFile(file, '');
    expect(findScenario(file)).to.equal(file);
  });

  for (const [given, said] of [
    ['kil-one', /^unknown scenario "kil-one"\. Did you mean "kill-one"\? Known: .*\bstore-hang\b.* give its file/],
    // The tests run in the folder of the clone, which has such a file.
    ['docker-compose', /^unknown scenario "docker-compose"\. Did you mean the file "docker-compose\.yml"\?$/],
    ['', /^unknown scenario ""\. Known: /],
    ['no-such-folder/kill-one.yaml', /does not exist\. For the shipped scenario type its name: kill-one$/],
  ] as const) {
    it(`refuses "${given}" and says what to type`, () => {
      expect(() => findScenario(given)).to.throw(said);
    });
  }

  it('leaves a path to nothing to the reader of scenarios', () => {
    expect(findScenario('my-app.yaml')).to.equal('my-app.yaml');
    expect(findScenario('tests/failover')).to.equal('tests/failover');
  });
});
