import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { withHoldfast } from './holdfast.js';
import { commandLine } from './in-process.js';

describe('holdfast matrix', function () {
  this.timeout(60_000);

  it('draws the table, estimates the remaining time, writes JSON and HTML, and leaves nothing behind', () =>
    withHoldfast(
      ['matrix', '--modes', 'sticky,jwt', '--faults', 'kill-one', '--json', 'm.json', '--html', 'm.html'],
      async holdfast => {
        const code = await holdfast.ended();
        const { stdout, stderr } = holdfast.output;
        const { modes, rows, problems } = JSON.parse(await readFile(path.join(holdfast.folder, 'm.json'), 'utf8'));
        expect(modes).to.deep.equal(['sticky', 'jwt']);
        expect(rows).to.have.length(1);
        const [sticky, jwt] = rows[0].cells;
        // Other tests may delay the driver. Then the cell and the exit code say so.
        expect(sticky.outcome).to.be.oneOf(['expected-loss', 'inconclusive']);
        expect(jwt.outcome).to.be.oneOf(['kept', 'inconclusive']);
        expect(code, stderr).to.equal(problems.length === 0 ? 0 : 2);
        expect(sticky.loggedOut).to.be.greaterThan(0);
        expect(jwt.loggedOut).to.equal(0);
        expect(stderr)
          .to.match(/matrix 0 of 2, (one lab|\d+ labs) .*: begun/)
          .and.match(/matrix 1 of 2, .*, about \d+ s left: kill-one in/);
        expect(stdout).to.match(/kill-one.*(▼|\?) \d+ \/ \d+/);
        expect(await readFile(path.join(holdfast.folder, 'm.html'), 'utf8')).to.include('kill-one');
        expect(await holdfast.children()).to.deep.equal([]);
        expect(await holdfast.temporaryFiles()).to.deep.equal([]);
      },
    ));

  it('exits with 2 and the reason when no fault has a target', async () => {
    const { code, stdout, left } = await commandLine([
      'matrix',
      '--faults',
      'redis-outage',
      '--modes',
      'sticky,postgres',
    ]);
    expect(code).to.equal(2);
    expect(stdout)
      .to.match(/redis-outage │ +· │ +· │/)
      .and.include('so nothing was run');
    expect(left).to.deep.equal([]);
  });

  for (const [args, message] of [
    [['--faults', 'kil-one'], 'unknown scenario or fault "kil-one". Did you mean "kill-one"?'],
    [['--modes', 'stiky'], 'unknown mode "stiky". Did you mean "sticky"?'],
    [['--modes'], '--modes needs a value'],
    [['--at-once', '0'], 'expected a whole number from 1 to 32'],
    [['--faults', 'eviction', '--modes', 'jwt'], 'names the mode jwt'],
  ] as const) {
    it(`exits with 3 and the reason for ${args.join(' ')}`, async () => {
      const said = await commandLine(['matrix', ...args]);
      expect(said.code).to.equal(3);
      expect(said.stderr).to.include(message);
      expect(said.left).to.deep.equal([]);
    });
  }
});
