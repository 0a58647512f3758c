/** A sample of liars.full.test.ts: every other shipped scenario, every fourth of them as shipped, the others in short form. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type Form, pairsOf } from './model/cells.js';
import { cellText, introduction, parsePage } from './model/liars-page.js';
import { again, describeLiars, page } from './model/liars-suite.js';

const forms: readonly Form[] = ['full', 'short'];
const formOf = (at: number): Form => (at % 8 === 0 ? 'full' : 'short');

/** Every other scenario in one form and one mode. The modes change from one to the next. */
const sample = forms.flatMap(form => {
  const pairs = pairsOf(form);
  const names = [...new Set(pairs.map(({ scenario }) => scenario.name))];
  return names.flatMap((name, at) => {
    const own = pairs.filter(({ scenario }) => scenario.name === name);
    const pair = own[Math.floor(at / 2) % own.length];
    return at % 2 === 0 && form === formOf(at) && pair !== undefined ? [pair] : [];
  });
});

describeLiars('a sample', sample, results => {
  const committed = readFileSync(page, 'utf8');

  it('have the results that docs/liars.md shows', () => {
    expect(committed.includes(introduction()), `docs/liars.md is out of date. ${again}`).to.equal(true);
    const shown = parsePage(committed);
    for (const result of results()) {
      const { form, scenario, mode } = result;
      expect(shown(form, scenario, mode), `${form} ${scenario} ${mode}. ${again}`).to.equal(cellText(result));
    }
  });

  it('are shown in every scenario and mode, in both forms', () => {
    const shown = parsePage(committed);
    const missing = forms.flatMap(form =>
      pairsOf(form).filter(({ scenario, mode }) => (shown(form, scenario.name, mode) ?? '') === ''),
    );
    expect(
      missing.map(({ scenario, mode }) => `${scenario.name} ${mode}`),
      again,
    ).to.deep.equal([]);
  });
});
