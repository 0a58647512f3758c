import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { readHistory } from '#src/simulator/history/file.js';
import { withHoldfast } from './holdfast.js';

describe('holdfast start', function () {
  this.timeout(90_000);

  it('compares sticky and redis when both have run, and keeps them when it is stopped in the next mode', () =>
    withHoldfast(['start'], async holdfast => {
      await holdfast.sees('│ verdict', 60_000);
      expect(holdfast.output.stdout).to.match(/│ +sticky │ +redis │/);
      expect(holdfast.output.stderr).not.to.include('kill-one/memcached: warmup');
      await holdfast.sees('kill-one/memcached: starting', 20_000);
      holdfast.child.kill('SIGINT');
      expect(await holdfast.ended(), holdfast.output.stderr).to.equal(130);
      const [, report = ''] = /^report: (reports\/kill-one\/\S+\/report\.html)$/m.exec(holdfast.output.stdout) ?? [];
      expect(await readFile(path.join(holdfast.folder, report), 'utf8')).to.include('redis');
      const records = await readHistory(path.join(holdfast.folder, 'reports/kill-one/latest/history.ndjson'));
      expect(records.map(({ header }) => header.mode)).to.deep.equal(['sticky', 'redis']);
      expect(await holdfast.children()).to.deep.equal([]);
      expect(await holdfast.temporaryFiles()).to.deep.equal([]);
    }));
});
