import { expect } from 'chai';
import { IssueTimes } from '#src/proxy/affinity/issue-times.js';

describe('issue times', () => {
  it('are close to the clock and unique, even for many in one millisecond', () => {
    const moments = new IssueTimes();
    expect([1000, 1000, 1000, 1001, 1500, 1400].map(nowMs => moments.next(nowMs))).to.deep.equal([
      1000, 1001, 1002, 1003, 1500, 1501,
    ]);
  });

  for (const of of [2, 3, 8]) {
    it(`are divided among ${of} workers, close to the clock`, () => {
      const workers = Array.from({ length: of }, (_, nth) => new IssueTimes({ nth, of }));
      const given = Array.from({ length: 90 }, (_, at) => 5000 + (at % 30)).flatMap(nowMs =>
        workers.map(moments => ({ nowMs, moment: moments.next(nowMs) })),
      );
      expect(new Set(given.map(({ moment }) => moment)).size).to.equal(given.length);
      for (const { nowMs, moment } of given) expect(moment - nowMs).to.be.within(0, 90 * of);
    });
  }
});
