import path from 'node:path';
import { expect } from 'chai';
import { type CellResult, type Pair, tellLies } from './cells.js';
import { liars } from './liars.js';

export const page = path.resolve(import.meta.dirname, '../../../../docs/liars.md');
export const again = 'Write it again: node dist/test/simulator/model/write-liars-page.js > docs/liars.md';

/** Tests every liar in each of the pairs. `LIARS=1` prints the verdicts and the reasons. `more` adds tests of the results. */
export function describeLiars(
  title: string,
  pairs: readonly Pair[],
  more: (results: () => CellResult[]) => void,
): void {
  describe(`liars, ${title}`, function () {
    this.timeout(300_000);
    const results: CellResult[] = [];

    before(async () => {
      for (const pair of pairs) results.push(await tellLies(pair));
      if (process.env.LIARS !== undefined) print(results);
    });

    it('start from an honest system, which passes each scenario in its modes', () => {
      const others = results.filter(({ honest }) => honest.word !== 'pass');
      expect(
        others.map(({ scenario, mode, honest }) => [scenario, mode, honest.word, ...honest.reasons]),
      ).to.deep.equal([]);
    });

    for (const name of Object.keys(liars)) {
      it(`never pass: ${name}`, () => {
        const told = results.filter(({ verdicts }) => verdicts[name] !== undefined);
        expect(told.length).to.be.greaterThan(pairs.length / 2);
        const passed = told.filter(({ verdicts }) => verdicts[name]?.word === 'pass');
        expect(passed.map(({ scenario, mode }) => `${scenario} ${mode}`)).to.deep.equal([]);
      });
    }

    more(() => results);
  });
}

function print(results: readonly CellResult[]): void {
  const lines = results.flatMap(({ form, scenario, mode, verdicts }) =>
    Object.entries(verdicts).map(([name, verdict]) =>
      [form, scenario, mode, name, verdict?.word, verdict?.reasons[0]].join('\t'),
    ),
  );
  process.stdout.write(`${lines.join('\n')}\n`);
}
