import { expect } from 'chai';
import { count, countNoun, decades, duration, logRange, roundUp, seconds, timeTicks } from '#src/report/numbers.js';

describe('formatted numbers', () => {
  it('have separators, the right form of the noun and units', () => {
    expect([count(1211), countNoun(1, 'user'), countNoun(0, 'user'), countNoun(1000, 'write')]).to.deep.equal([
      '1,211',
      '1 user',
      '0 users',
      '1,000 writes',
    ]);
    expect([3.14, 0, 9.96, 80.5, 999.9, 1000, Number.NaN].map(duration)).to.deep.equal([
      '3.1 ms',
      '0 ms',
      '10 ms',
      '81 ms',
      '1.0 s',
      '1.0 s',
      '–',
    ]);
    expect(seconds(312)).to.equal('0.3 s');
  });
});

describe('the axes of a report', () => {
  it('end at round numbers that include the data', () => {
    expect([0, 1, 7, 113, 1001].map(roundUp)).to.deep.equal([1, 1, 8, 120, 1200]);
    expect(timeTicks(7500)).to.deep.equal([0, 1000, 2000, 3000, 4000, 5000, 6000, 7000]);
    expect(timeTicks(90).every(Number.isFinite)).to.equal(true);
  });

  it('span whole decades, at least two', () => {
    expect(logRange(3, 900)).to.deep.equal([1, 1000]);
    expect(logRange(0.2, 4)).to.deep.equal([0.1, 10]);
    expect(logRange(null, null)).to.deep.equal([1, 100]);
    expect(decades(0.1, 100).map(tick => tick.toPrecision(1))).to.deep.equal(['0.1', '1', '1e+1', '1e+2']);
  });
});
