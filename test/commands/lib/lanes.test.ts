import { expect } from 'chai';
import { RunSlots } from '#src/commands/lib/run-matrix.js';
import type { VerdictWord } from '#src/simulator/checker/verdict/verdict.js';

/** Makes slots and reports these verdicts to them. Each cell began with the current number of labs. */
function slotsAfter(max: number, words: readonly VerdictWord[], usedShare = 0.8): RunSlots {
  const slots = new RunSlots(max, () => () => usedShare);
  for (const word of words) slots.done(slots.atOnce, word === 'inconclusive');
  return slots;
}

const pass = (count: number): VerdictWord[] => Array.from({ length: count }, () => 'pass');
const inconclusive = (count: number): VerdictWord[] => Array.from({ length: count }, () => 'inconclusive');

describe('the number of concurrent labs, at most six,', () => {
  for (const [what, words, atOnce] of [
    ['no cell has finished', [], 3],
    ['all pass or fail', [...pass(10), 'fail', 'fail'], 3],
    ['one cell is inconclusive', inconclusive(1), 3],
    ['the first two cells are inconclusive', inconclusive(2), 2],
    ['two of twelve cells are inconclusive', [...pass(10), ...inconclusive(2)], 3],
    ['three of twelve cells are inconclusive', [...pass(9), ...inconclusive(3)], 2],
    ['two of two cells are inconclusive, twice', inconclusive(4), 1],
    ['all cells stay inconclusive', inconclusive(20), 1],
  ] as const) {
    it(`is ${atOnce} when ${what}`, () => expect(slotsAfter(6, words).atOnce).to.equal(atOnce));
  }

  for (const [used, atOnce] of [
    [0, 6],
    [0.3, 6],
    [0.5, 5],
    [0.6, 4],
    [0.8, 3],
    [1, 3],
  ] as const) {
    it(`is ${atOnce} when the first labs used ${used} of the processors`, () =>
      expect(slotsAfter(6, pass(6), used).atOnce).to.equal(atOnce));
  }

  it('grows by one after many good cells, while there is room', () => {
    expect(slotsAfter(6, [...inconclusive(4), ...pass(2), ...pass(3)], 0.3).atOnce).to.equal(2);
    expect(slotsAfter(6, [...inconclusive(4), ...pass(2), ...pass(8)], 0.3).atOnce).to.equal(3);
    expect(slotsAfter(6, [...inconclusive(4), ...pass(200)], 0.3).atOnce).to.equal(6);
    expect(slotsAfter(6, [...inconclusive(4), ...pass(200)], 0.9).atOnce).to.equal(1);
  });

  it('jumps to the fitting number only once, and shrinks when that is too many', () => {
    expect(slotsAfter(6, pass(5), 0.5).atOnce).to.equal(3);
    expect(slotsAfter(6, [...pass(6), ...inconclusive(2)], 0.5).atOnce).to.equal(4);
    expect(slotsAfter(6, [...pass(6), ...inconclusive(2), ...pass(15)], 0.5).atOnce).to.equal(4);
  });

  it('grows after it shrank at the start, because the cause may have been temporary', () => {
    expect(slotsAfter(6, [...inconclusive(2), ...pass(4)], 0.3).atOnce).to.equal(5);
    expect(slotsAfter(6, [...inconclusive(2), ...pass(4), ...inconclusive(2), ...pass(15)], 0.3).atOnce).to.equal(4);
  });

  it('ignores cells that began when more labs were running', () => {
    const slots = slotsAfter(6, inconclusive(2));
    for (const _ of inconclusive(3)) slots.done(3, true);
    expect(slots.atOnce).to.equal(2);
  });

  it('is marked as none when one lab alone is too much for the machine', () => {
    expect(slotsAfter(4, inconclusive(3)).isMachineTooSmall).to.equal(false);
    expect(slotsAfter(4, inconclusive(4)).isMachineTooSmall).to.equal(true);
  });
});
