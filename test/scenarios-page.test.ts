import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { shippedScenarioFile, shippedScenarioNames } from '#src/shared/package.js';
import { faults } from '#src/simulator/faults/kinds/registry.js';

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/scenarios.md'), 'utf8');
const rows = new Map(
  page.split('\n').flatMap(line => {
    const [, name, ...cells] = /^\| `([a-z-]+)` \|(.*)\|$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, (cells[0] ?? '').split(' | ').map(cell => cell.trim())] as const];
  }),
);

describe('docs/scenarios.md', () => {
  for (const [name, { effectInWords }] of Object.entries(faults)) {
    it(`says of ${name} what happens, what confirms it and which effect users must notice`, () => {
      const [how, confirmed, effect] = rows.get(name) ?? [];
      expect(how, 'how').to.match(/\w/);
      expect(confirmed, 'confirmed by').to.match(/\w/);
      expect(effect).to.equal(effectInWords);
    });
  }

  it('has a row in its matrix for each scenario that the command matrix runs', () => {
    const run = shippedScenarioNames().filter(name => {
      const text = readFileSync(shippedScenarioFile(name), 'utf8');
      return /^modes: \[all\]$/m.test(text) && /^faults:$/m.test(text);
    });
    const [, matrix = ''] = /## Which mode survives which fault(.*?)\n## /s.exec(page) ?? [];
    const listed = [...matrix.matchAll(/^\| `([a-z-]+)` (?:\| [^|]+ ){6}\|$/gm)].map(([, name]) => name);
    const expected = 'rows of the table under "Which mode survives which fault" of docs/scenarios.md, sorted by name';
    expect(listed, expected).to.deep.equal(run);
  });
});
