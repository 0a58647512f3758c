import { expect } from 'chai';
import { engines } from '#src/proxy/engines/registry.js';
import { type Direction, fuzz } from './fuzz/fuzz.js';
import { allowancesOf } from './shortfalls.js';

/** The long form is `node dist/bench/fuzz.js --count 1000000`. */
const counts: readonly (readonly [Direction, number])[] = [
  ['requests', 800],
  ['answers', 300],
];

describe('mutated messages, through an engine and through the parser of Node', () => {
  for (const [name, { make }] of Object.entries(engines)) {
    for (const [direction, count] of counts) {
      it(`${name}: ${count} ${direction} are refused, or read the way Node reads them`, async () => {
        const allowances = allowancesOf(name);
        const { found, passedOn } = await fuzz({
          make,
          allowances,
          direction,
          seed: 5,
          from: 0,
          count,
          lanes: 4,
          discrepanciesMax: 1,
          onProgress: () => {},
        });
        expect(found).to.deep.equal([]);
        // An engine that refuses everything would pass the checks above.
        expect(passedOn).to.be.greaterThan(count / 4);
      });
    }
  }
});
