import { expect } from 'chai';
import { formatSize, parseSize } from '#src/shared/units.js';

describe('sizes', () => {
  for (const [text, bytes] of [
    ['0', 0],
    ['1000', 1000],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['2GiB', 2_147_483_648],
  ] as const) {
    it(`${text} are ${bytes} bytes`, () => {
      expect(parseSize(text)).to.equal(bytes);
      expect(formatSize(bytes)).to.equal(text);
    });
  }

  for (const text of ['', 'x', '-1', '1.5KiB', '64kb', '64 KiB', '1e3', '9'.repeat(13)]) {
    it(`"${text}" is none`, () => expect(parseSize(text)).to.equal(undefined));
  }
});
