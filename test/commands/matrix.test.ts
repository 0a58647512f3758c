import { expect } from 'chai';
import { commandLine } from './in-process.js';

describe('holdfast matrix', function () {
  this.timeout(60_000);

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
