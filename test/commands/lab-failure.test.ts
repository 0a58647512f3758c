import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { withHoldfast } from './holdfast.js';

const scenario = `
name: no-boot
why: a backend that refuses its environment
modes: [sticky]
system: { backends: { count: 2, env: { SHOP_DEFECT: no-such-defect } } }
users: { arrivals: { rate: 10/s, for: 500ms } }
expect: { any: [writes.lost == 0] }
`;

describe('a backend that does not boot', () => {
  it('ends the run with exit 4 and its last output, and leaves nothing behind', () =>
    withHoldfast(['--version'], async folder => {
      await folder.ended();
      const file = path.join(folder.folder, 'no-boot.yaml');
      await writeFile(file, scenario);
      await withHoldfast(['run', file], async holdfast => {
        expect(await holdfast.ended(), holdfast.output.stderr).to.equal(4);
        expect(holdfast.output.stderr)
          .to.match(/backend-[12] ended with code 3/)
          .and.include('no-such-defect');
        expect(await holdfast.children()).to.deep.equal([]);
        expect(await holdfast.temporaryFiles()).to.deep.equal([]);
      });
    }));
});
