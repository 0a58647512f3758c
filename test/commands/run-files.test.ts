/** Tests of the files that stay on disk when a command does not finish. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { readHistory } from '#src/simulator/history/file.js';
import { type Holdfast, withHoldfast } from './holdfast.js';
import { short, written } from './ran.js';

const twoModes = short('', '[]', '    - writes.phantom == 0', '300ms');

async function modesKept({ folder }: Holdfast): Promise<string[]> {
  const records = await readHistory(path.join(folder, 'reports/short/latest/history.ndjson'));
  return records.map(({ header }) => header.mode);
}

describe('the files of an incomplete run', function () {
  this.timeout(60_000);

  it('are the history and report of the modes before the lab failed; exits with 4', async () =>
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

  it('are the history and report of the earlier modes after Ctrl-C; exits with 130', async () =>
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
