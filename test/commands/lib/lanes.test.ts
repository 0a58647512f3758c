import { expect } from 'chai';
import { RunSlots } from '#src/commands/lib/run-matrix.js';
import type { VerdictWord } from '#src/simulator/checker/verdict/verdict.js';

/** As many words, each of a cell that began among as many labs as there were by then. */
function lanesAfter(max: number, words: readonly VerdictWord[], usedShare = 0.8): RunSlots {
  const lanes = new RunSlots(max, () => () => usedShare);
  for (const word of words) lanes.done(lanes.atOnce, word === 'inconclusive');
  return lanes;
}

const pass = (count: number): VerdictWord[] => Array.from({ length: count }, () => 'pass');
const inconclusive = (count: number): VerdictWord[] => Array.from({ length: count }, () => 'inconclusive');

describe('how many labs run side by side, of six at most', () => {
  for (const [what, words, atOnce] of [
    ['nothing is known', [], 3],
    ['all pass or fail', [...pass(10), 'fail', 'fail'], 3],
    ['one is inconclusive', inconclusive(1), 3],
    ['two of the first two are', inconclusive(2), 2],
    ['two of twelve are', [...pass(10), ...inconclusive(2)], 3],
    ['three of twelve are', [...pass(9), ...inconclusive(3)], 2],
    ['two of two are, twice', inconclusive(4), 1],
    ['nothing helps', inconclusive(20), 1],
  ] as const) {
    it(`${atOnce} when ${what}`, () => expect(lanesAfter(6, words).atOnce).to.equal(atOnce));
  }

  for (const [used, atOnce] of [
    [0, 6],
    [0.3, 6],
    [0.5, 5],
    [0.6, 4],
    [0.8, 3],
    [1, 3],
  ] as const) {
    it(`${atOnce} when the first ones used ${used} of the processors`, () =>
      expect(lanesAfter(6, pass(6), used).atOnce).to.equal(atOnce));
  }

  it('one more after many good cells, as often as there is room', () => {
    expect(lanesAfter(6, [...inconclusive(4), ...pass(2), ...pass(3)], 0.3).atOnce).to.equal(2);
    expect(lanesAfter(6, [...inconclusive(4), ...pass(2), ...pass(8)], 0.3).atOnce).to.equal(3);
    expect(lanesAfter(6, [...inconclusive(4), ...pass(200)], 0.3).atOnce).to.equal(6);
    expect(lanesAfter(6, [...inconclusive(4), ...pass(200)], 0.9).atOnce).to.equal(1);
  });

  it('more at once only once, and fewer again when those are too many', () => {
    expect(lanesAfter(6, pass(5), 0.5).atOnce).to.equal(3);
    expect(lanesAfter(6, [...pass(6), ...inconclusive(2)], 0.5).atOnce).to.equal(4);
    expect(lanesAfter(6, [...pass(6), ...inconclusive(2), ...pass(15)], 0.5).atOnce).to.equal(4);
  });

  it('more also after it were fewer at first: that may have been the chance of a moment', () => {
    expect(lanesAfter(6, [...inconclusive(2), ...pass(4)], 0.3).atOnce).to.equal(5);
    expect(lanesAfter(6, [...inconclusive(2), ...pass(4), ...inconclusive(2), ...pass(15)], 0.3).atOnce).to.equal(4);
  });

  it('is not held against the fewer what began among more', () => {
    const lanes = lanesAfter(6, inconclusive(2));
    for (const _ of inconclusive(3)) lanes.done(3, true);
    expect(lanes.atOnce).to.equal(2);
  });

  it('none, when one lab by itself is too much for the machine', () => {
    expect(lanesAfter(4, inconclusive(3)).none).to.equal(false);
    expect(lanesAfter(4, inconclusive(4)).none).to.equal(true);
  });
});
