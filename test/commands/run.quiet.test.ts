/** Whole runs that are judged. run.quiet.container.test.ts runs scenarios that are shipped. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import type { ModeName } from '#src/modes.js';
import { withHoldfast } from './holdfast.js';
import { runScenario, short, written } from './ran.js';
import { isDisturbed, runsOf, startedInTurn } from './whole-runs.js';

const nothingWrong = [
  'users.loggedOut == 0',
  'users.identitySwapped == 0',
  'users.logoutNotHonoured == 0',
  'writes.lost == 0',
  'writes.phantom == 0',
  'writes.duplicated == 0',
  'writes.resurrected == 0',
  'writes.stale == 0',
  'requests.failed == 0',
].map(line => `    - ${line}`);

/** planted-defects.quiet.test.ts runs the correct shop in redis. */
const sound = ['sticky'] as const;
const runShort = async (env: string, modes: readonly ModeName[]) =>
  runScenario(await written(short(env, '[]', nothingWrong.join('\n'))), '--mode', modes.join(','));

describe('whole runs', function () {
  this.timeout(120_000);

  const defective = startedInTurn(async () => {
    const first = await runShort('drop-writes', ['redis']);
    return isDisturbed(first) ? runShort('drop-writes', ['redis']) : first;
  });

  it('detect the defect drop-writes by its name', async () => {
    const { code, result, text } = await defective();
    expect(code, text).to.equal(1);
    expect(result.runs).to.have.length(1);
    for (const { writes } of result.runs) {
      expect(writes.lost, text).to.be.greaterThan(0);
      expect(writes).to.include({ phantom: 0, duplicated: 0, resurrected: 0 });
    }
  });

  const correct = startedInTurn(() => runsOf(sound, late => runShort('', late)));

  it('find no defect in the correct shop', async () => {
    expect((await correct()).map(({ verdict }) => verdict)).to.deep.equal(['pass']);
  });

  /** What a run and a report of its history wrote. */
  const judged = startedInTurn(async () => {
    const kill = '\n  - { id: kill, at: 100ms, do: kill, target: backend-2, for: 500ms }';
    const file = await written(short('', kill, '    - writes.lost > 0'));
    return withHoldfast(
      ['run', file, '--mode', 'sticky', '--seed', '7', '--json', 'a.json', '--history', 'h.ndjson'],
      async first => {
        expect(await first.ended(), first.output.stderr).to.equal(0);
        return withHoldfast(['report', path.join(first.folder, 'h.ndjson'), '--json', 'b.json'], async again => {
          expect(await again.ended(), again.output.stderr).to.equal(0);
          const files = [path.join(first.folder, 'a.json'), path.join(again.folder, 'b.json')];
          return Promise.all(files.map(each => readFile(each, 'utf8')));
        });
      },
    );
  });

  it('give the same findings when their history is judged again, including losses', async () => {
    const [ran, reported] = await judged();
    const { seed, runs, ...whole } = JSON.parse(ran ?? '');
    // The history does not record whether a busy machine caused a second try.
    for (const run of runs) for (const which of ['firstTry', 'secondTry']) delete run[which];
    expect(JSON.parse(reported ?? '')).to.deep.equal({ ...whole, seed, runs });
    expect(seed).to.equal(7);
    expect(runs[0].writes.lost).to.be.greaterThan(0);
  });
});
