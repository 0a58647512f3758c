/** What stays on disk when a command does not come to its end. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { readHistory } from '#src/simulator/history/file.js';
import { type Holdfast, withHoldfast } from './holdfast.js';
import { short, written } from './ran.js';

const twoModes = short('', '[]', '    - writes.phantom == 0');

async function modesKept({ folder }: Holdfast): Promise<string[]> {
  const records = await readHistory(path.join(folder, 'reports/short/latest/history.ndjson'));
  return records.map(({ header }) => header.mode);
}

describe('what a run leaves on disk', function () {
  this.timeout(60_000);

  it('is the history and the report of the modes before the one in which the lab failed: exit 4', async () =>
    withHoldfast(
      ['run', await written(twoModes), '--mode', 'sticky,redis', '--json', 'out.json'],
      async holdfast => {
        expect(await holdfast.ended(), holdfast.output.stderr).to.equal(4);
        const { stdout, stderr } = holdfast.output;
        expect(stderr).to.match(/^holdfast: .*redis-server/m);
        expect(stdout)
          .to.match(/short, seed 3/)
          .and.match(/sticky: .*acknowledged/);
        const [, report = ''] = /^report: (reports\/short\/\S+\/report\.html)$/m.exec(stdout) ?? [];
        expect(await readFile(path.join(holdfast.folder, report), 'utf8')).to.include('sticky');
        expect(await modesKept(holdfast)).to.deep.equal(['sticky']);
        const { runs } = JSON.parse(await readFile(path.join(holdfast.folder, 'out.json'), 'utf8'));
        expect(runs).to.have.length(1);
        expect(await holdfast.children()).to.deep.equal([]);
      },
      { PATH: '/nowhere' },
    ));

  it('is the same after Ctrl-C in a later mode: exit 130', async () =>
    withHoldfast(['run', await written(twoModes), '--mode', 'sticky,redis'], async holdfast => {
      await holdfast.sees('short/redis: warmup', 30_000);
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
      expect(await modesKept(holdfast)).to.deep.equal(['sticky']);
      expect(await readdir(path.join(holdfast.folder, 'reports/short/latest'))).to.include('report.html');
      expect(holdfast.output.stdout).to.include('sticky: ');
      expect(await holdfast.children()).to.deep.equal([]);
    }));
});
