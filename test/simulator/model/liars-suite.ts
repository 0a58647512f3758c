import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { type CellResult, type Form, tellAllLies } from './cells.js';
import { liars } from './liars.js';
import { introduction, sectionOf } from './liars-page.js';

const page = path.resolve(import.meta.dirname, '../../../../docs/liars.md');
const again = 'Write it again: node dist/test/simulator/model/write-liars-page.js > docs/liars.md';

/** Tests every liar in every shipped scenario and mode. `LIARS=1` prints the tables and the reasons. */
export function describeLiars(form: Form): void {
  describe(`liars, ${form} form`, function () {
    this.timeout(120_000);
    let results: CellResult[] = [];

    before(async () => {
      results = await tellAllLies(form);
      if (process.env.LIARS !== undefined) print(form, results);
    });

    it('start from an honest system, which passes every shipped scenario in each of its modes', () => {
      const others = results.filter(({ honest }) => honest.word !== 'pass');
      expect(
        others.map(({ scenario, mode, honest }) => [scenario, mode, honest.word, ...honest.reasons]),
      ).to.deep.equal([]);
    });

    for (const name of Object.keys(liars)) {
      it(`never pass: ${name}`, () => {
        const told = results.filter(({ verdicts }) => verdicts[name] !== undefined);
        expect(told.length).to.be.greaterThan(100);
        const passed = told.filter(({ verdicts }) => verdicts[name]?.word === 'pass');
        expect(passed.map(({ scenario, mode }) => `${scenario} ${mode}`)).to.deep.equal([]);
      });
    }

    it('have the results that docs/liars.md shows', () => {
      const committed = readFileSync(page, 'utf8');
      expect(committed.includes(introduction()), `docs/liars.md is out of date. ${again}`).to.equal(true);
      expect(committed.includes(sectionOf(form, results)), `docs/liars.md is out of date. ${again}`).to.equal(true);
    });
  });
}

function print(form: Form, results: readonly CellResult[]): void {
  const lines = results.flatMap(({ scenario, mode, verdicts }) =>
    Object.entries(verdicts).map(([name, verdict]) =>
      [scenario, mode, name, verdict?.word, verdict?.reasons[0]].join('\t'),
    ),
  );
  process.stdout.write(`${sectionOf(form, results)}\n${lines.join('\n')}\n`);
}
