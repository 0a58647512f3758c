/** A sample of holdfast-sessions.full.test.ts, and a run that shows that it can find a loss. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { packageFile } from '#src/shared/package.js';
import { comparedScenarios, sessionChoices } from './four-scenarios.js';
import { examples, findIn, itSurvives } from './surviving.js';

describe('examples with holdfast/sessions', function () {
  this.timeout(60_000);

  itSurvives('express/holdfast.yaml');

  it('are compared with express-session in docs/sessions.md, scenario by scenario', () => {
    const page = readFileSync(packageFile('docs/sessions.md'), 'utf8');
    const choices = Object.entries(sessionChoices);
    for (const name of comparedScenarios)
      for (const [choice, { mode }] of choices)
        expect(page.includes(`| \`${name}\` | ${choice} |`), `${name}, ${choice}`).to.equal(
          name !== 'store-hang' || mode !== 'sticky',
        );
  });

  it('express/server.js loses writes and undoes logouts where express/server-holdfast.js does not', async () => {
    const { findings } = await findIn('express/holdfast.yaml', 'node server.js');
    expect(findings.writes.lost).to.be.greaterThan(0);
    expect(findings.users.logoutNotHonoured).to.be.greaterThan(0);
    expect(findings.serviceMs.max).to.be.greaterThan(1_500);
  });

  it('takes at most ten changed lines of code to move the Express shop', () => {
    const [before, after] = ['server.js', 'server-holdfast.js'].map(name =>
      readFileSync(path.join(examples, 'express', name), 'utf8').split('\n'),
    );
    const changed = (after ?? []).filter(line => !before?.includes(line) && !/^(?:\/\*\*| \*)/.test(line));
    expect(changed.length, changed.join('\n')).to.be.at.most(10);
  });
});
