/** Every liar in every shipped scenario and mode: a minute. liars.test.ts has a sample of them. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { pairsOf } from './model/cells.js';
import { sectionOf } from './model/liars-page.js';
import { again, describeLiars, page } from './model/liars-suite.js';

for (const form of ['full', 'short'] as const)
  describeLiars(`${form} form`, pairsOf(form), results =>
    it('have the results that docs/liars.md shows', () => {
      const committed = readFileSync(page, 'utf8');
      expect(committed.includes(sectionOf(form, results())), `docs/liars.md is out of date. ${again}`).to.equal(true);
    }),
  );
