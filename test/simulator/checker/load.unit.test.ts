import { expect } from 'chai';
import fc from 'fast-check';
import { percentilesOf } from '#src/simulator/checker/load.js';

/** Many equal values, many nearly equal ones, and negative ones. */
const number = fc.oneof(
  fc.integer({ min: 0, max: 50 }),
  fc.double({ min: 0.99, max: 1.01, noNaN: true }),
  fc.double({ noNaN: true }).filter(value => !Object.is(value, -0)),
);

for (const [way, sortUpTo] of [
  ['sorting', Number.POSITIVE_INFINITY],
  ['counting in buckets', -1],
] as const) {
  const of = (values: Float64Array) => percentilesOf(values, sortUpTo);

  describe(`percentiles by ${way}`, () => {
    it('are measured values, by nearest rank', () => {
      const hundred = Float64Array.from({ length: 100 }, (_, i) => 100 - i);
      expect(of(hundred)).to.deep.equal({ p50: 50, p90: 90, p99: 99, max: 100 });
      expect(of(Float64Array.of(7))).to.deep.equal({ p50: 7, p90: 7, p99: 7, max: 7 });
    });

    it('are null when nothing was measured', () => {
      expect(of(new Float64Array())).to.deep.equal({ p50: null, p90: null, p99: null, max: null });
    });

    it('skip NaN', () => {
      expect(of(Float64Array.of(Number.NaN, 3, Number.NaN))).to.deep.include({ p50: 3, p99: 3 });
      expect(of(Float64Array.of(Number.NaN))).to.deep.include({ p50: null, max: null });
    });

    it('equal those of sorted values, and do not change the values', () => {
      fc.assert(
        fc.property(fc.array(number, { minLength: 1, maxLength: 300 }), numbers => {
          const values = Float64Array.from(numbers);
          const { p50, p90, p99, max } = of(values);
          const sorted = values.toSorted();
          const ranks = [0.5, 0.9, 0.99, 1].map(share => sorted[Math.ceil(share * sorted.length) - 1]);
          expect([p50, p90, p99, max]).to.deep.equal(ranks);
          expect([...values]).to.deep.equal(numbers);
        }),
      );
    });
  });
}
