import { expect } from 'chai';
import { Lanes } from '#src/commands/lanes.js';
import type { VerdictWord } from '#src/simulator/verdict.js';

/** As many words, each of a cell that began among as many labs as there were by then. */
function lanesAfter(atOnce: number, words: readonly VerdictWord[]): Lanes {
  const lanes = new Lanes(atOnce);
  for (const word of words) lanes.done(lanes.atOnce, word);
  return lanes;
}

const pass = (count: number): VerdictWord[] => Array.from({ length: count }, () => 'pass');
const inconclusive = (count: number): VerdictWord[] => Array.from({ length: count }, () => 'inconclusive');

describe('how many labs run side by side', () => {
  for (const [what, words, atOnce] of [
    ['nothing is known', [], 4],
    ['all pass or fail', [...pass(3), 'fail', 'fail'], 4],
    ['one is inconclusive', inconclusive(1), 4],
    ['two of the first two are', inconclusive(2), 3],
    ['two of twelve are', [...pass(10), ...inconclusive(2)], 4],
    ['three of twelve are', [...pass(9), ...inconclusive(3)], 3],
    ['two of two are, twice', inconclusive(4), 2],
    ['nothing helps', inconclusive(20), 1],
  ] as const) {
    it(`${atOnce} when ${what}`, () => expect(lanesAfter(4, words).atOnce).to.equal(atOnce));
  }

  it('is not held against the fewer what began among more', () => {
    const lanes = lanesAfter(4, inconclusive(2));
    for (const word of inconclusive(3)) lanes.done(4, word);
    expect(lanes.atOnce).to.equal(3);
  });

  it('none, when one lab by itself is too much for the machine', () => {
    expect(lanesAfter(2, inconclusive(3)).none).to.equal(false);
    expect(lanesAfter(2, inconclusive(4)).none).to.equal(true);
  });
});
