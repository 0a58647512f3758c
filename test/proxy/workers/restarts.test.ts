import { expect } from 'chai';
import { Restarts } from '#src/proxy/workers/workers.js';

const table: Record<string, readonly [secondsOfLosses: readonly number[], goesOn: boolean]> = {
  'one loss': [[0], true],
  'four at once': [[0, 0, 0, 0], true],
  'five at once': [[0, 0, 0, 0, 0], false],
  'five within a minute': [[0, 10, 20, 30, 60], false],
  'five in more than a minute': [[0, 10, 20, 30, 61], true],
  'five in a minute after a quiet hour': [[0, 1, 2, 3600, 3610, 3620, 3630, 3640], false],
  'one every sixteen seconds, for ever': [Array.from({ length: 100 }, (_, nth) => nth * 16), true],
};

describe('workers: whether a lost one is replaced', () => {
  for (const [name, [seconds, goesOn]] of Object.entries(table)) {
    it(`${name}: ${goesOn ? 'yes' : 'no'}`, () => {
      const restarts = new Restarts();
      expect(seconds.map(second => restarts.mayReplace(second * 1000)).at(-1)).to.equal(goesOn);
    });
  }
});
