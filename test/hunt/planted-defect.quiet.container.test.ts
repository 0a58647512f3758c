/**
 * A whole hunt, with real processes. It takes minutes and counts on a quiet machine, so it runs with the containers.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { withHoldfast } from '../commands/holdfast.js';
import { runScenario, written } from '../commands/ran.js';
import { rotatingShop } from './rotating-shop-scenario.js';

describe('a hunt in a shop that loses a session if a kill falls within 50 ms after a rotation', function () {
  this.timeout(600_000);
  let found = { code: 0, stdout: '', stderr: '', text: '', left: [''] };

  before(async () => {
    const file = await written(rotatingShop);
    found = await withHoldfast(
      ['hunt', file, '--seed', '1', '--minutes', '1', '--out', 'found.yaml'],
      async holdfast => {
        const code = await holdfast.ended();
        const text = await readFile(path.join(holdfast.folder, 'found.yaml'), 'utf8').catch(() => '');
        const left = [...(await holdfast.children()), ...(await holdfast.temporaryFiles())];
        return { code, ...holdfast.output, text, left };
      },
    );
  });

  it('shows nothing in a run of the scenario itself', async () => {
    const { code, text } = await runScenario(await written(rotatingShop));
    expect(code, text).to.equal(0);
  });

  it('finds the lost session, and leaves nothing behind', () => {
    expect(found.code, found.stdout + found.stderr).to.equal(1);
    expect(found.stdout).to.include('users.loggedOut == 0 is not met');
    expect(found.stdout).to.include(found.text);
    expect(found.left).to.deep.equal([]);
  });

  it('shrinks it to one kill after a rotation, and one user', () => {
    const { faults, users } = parseScenario(found.text, 'found.yaml');
    expect(faults.map(fault => fault.do)).to.deep.equal(['kill']);
    expect(faults[0]?.trigger).to.include({ counter: 'sessions.renewed' });
    expect(users.plan?.length, found.text).to.be.within(1, 3);
  });

  it('writes a scenario that fails three times of three', async () => {
    const file = await written(found.text);
    for (const turn of [1, 2, 3]) {
      const { code, text } = await runScenario(file);
      expect(code, `run ${turn}\n${text}`).to.equal(1);
    }
  });
});
