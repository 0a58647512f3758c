import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { commandLine } from '../commands/in-process.js';
import { apps, folder, found, harmIn, itIsFound, itIsSilent, short } from './found.js';

for (const { app, file, defect, harm } of apps)
  describe(`an app of one’s own: ${app}`, () => {
    it('has a journey of at most 25 lines, which fits', async () => {
      const text = await readFile(file, 'utf8');
      const journey = /\n {2}journey:\n((?: {4}.*\n)+)/.exec(text)?.[1] ?? expect.fail('no journey');
      expect(journey.trimEnd().split('\n').length).to.be.at.most(25);
      const { code, stdout, stderr, left } = await commandLine(['check', file]);
      expect(code, stdout + stderr).to.equal(0);
      expect(stdout).to.include('the journey fits').and.not.match(/^!/m);
      expect(left).to.deep.equal([]);
    });

    // own-apps.full.test.ts runs the others, too.
    if (app !== 'graphql') return;
    itIsSilent(file);
    itIsFound(file, defect, harm);
  });

describe('an app of one’s own that keeps its carts', () => {
  it('has a journey that fits, and a run finds nothing', async () => {
    const carts = await mkdtemp(path.join(tmpdir(), 'holdfast-carts-'));
    const program = path.join(import.meta.dirname, 'keeping.js');
    const child = spawn(process.execPath, [program], { env: { ...process.env, PORT: '0', CARTS: carts } });
    try {
      const [line] = await once(createInterface(child.stdout), 'line');
      const text = await readFile(path.join(folder, 'keeping.yaml'), 'utf8');
      const own = text.replace('127.0.0.1:8080', `127.0.0.1:${JSON.parse(line).port}`);
      const file = path.join(carts, 'keeping.yaml');
      await writeFile(file, own);
      const { code, stdout, stderr } = await commandLine(['check', file]);
      expect(code, stdout + stderr).to.equal(0);
      const scenario = parseScenario(own, file);
      // A further run needs the checker to leave the items of other runs out of account (RunHeader.nonce).
      const runs = 2;
      for (let run = 1; run <= runs; run += 1) {
        const findings = await found({ ...scenario, phases: short });
        expect(harmIn(findings), `run ${run}`).to.deep.equal([]);
        expect(findings.writes.acknowledged).to.be.greaterThan(30);
      }
    } finally {
      child.kill('SIGKILL');
      await rm(carts, { recursive: true });
    }
  });
});
