/** The examples as texts. holdfast-sessions.full.test.ts runs them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import { comparedScenarios, sessionChoices } from './four-scenarios.js';
import { examples } from './surviving.js';

describe('examples with holdfast/sessions', () => {
  it('are compared with express-session in docs/sessions.md, scenario by scenario', () => {
    const page = readFileSync(packageFile('docs/sessions.md'), 'utf8');
    const choices = Object.entries(sessionChoices);
    for (const name of comparedScenarios)
      for (const [choice, { mode }] of choices)
        expect(page.includes(`| \`${name}\` | ${choice} |`), `${name}, ${choice}`).to.equal(
          name !== 'store-hang' || mode !== 'sticky',
        );
  });

  it('takes at most ten changed lines of code to move the Express shop', () => {
    const [before, after] = ['server.js', 'server-holdfast.js'].map(name =>
      readFileSync(path.join(examples, 'express', name), 'utf8').split('\n'),
    );
    const changed = (after ?? []).filter(line => !before?.includes(line) && !/^(?:\/\*\*| \*)/.test(line));
    expect(changed.length, changed.join('\n')).to.be.at.most(10);
  });
});
