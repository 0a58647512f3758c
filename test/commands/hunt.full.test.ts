import { expect } from 'chai';
import { withHoldfast } from './holdfast.js';
import { short, written } from './ran.js';

const kill = '[{ id: kill, at: 200ms, do: kill, target: backend-1, for: 300ms }]';

describe('the command line: a whole hunt', function () {
  this.timeout(60_000);

  it('finds nothing in a correct shop: it says how much it tried, and writes no file', async () => {
    const file = await written(short('', kill, '    - writes.lost == 0'));
    const words = ['hunt', file, '--mode', 'redis', '--minutes', '0.02', '--seed', '5'];
    await withHoldfast(words, async holdfast => {
      const code = await holdfast.ended();
      const { stdout, stderr } = holdfast.output;
      expect(code, stdout + stderr).to.be.oneOf([0, 2]);
      expect(stdout).to.match(/^hunting in short, mode redis, seed 5: writes\.lost == 0, members\.notBack == 0\n/);
      expect(stdout).to.match(/found nothing: \d+ (try|tries) in \d+ s: \d+ passed, \d+ inconclusive\./);
      expect(stderr).to.match(/^try 1, 0:\d\d of 0:01: (pass|inconclusive)\n/);
      expect(stdout).to.not.include('again:');
      expect(await holdfast.children()).to.deep.equal([]);
    });
  });
});
