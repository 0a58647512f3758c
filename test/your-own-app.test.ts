import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { parseScenario, readScenario } from '#src/simulator/scenario/file.js';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/your-own-app.md'), 'utf8');
const snippets = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);

const wrapInScenario = (journey: string, faults: string) => `name: own
why: As the page shows it.
modes: [redis]
users:
  arrivals: { rate: 20/s, for: 1s }
  timeout: 2s
${journey.replaceAll(/^/gm, '  ')}
${faults}`;

describe('docs/your-own-app.md', () => {
  it('shows a journey and a fault that the reader of scenarios accepts', () => {
    const [faults = '', journey = ''] = snippets;
    expect(snippets).to.have.length(2);
    const scenario = parseScenario(wrapInScenario(journey, faults), 'page.yaml');
    expect(scenario.users.journey).to.have.nested.property('login.before.path', '/login');
    expect(scenario.faults[0]?.options).to.include.keys('inject', 'confirm', 'heal');
  });

  it('links to an example whose scenarios are valid', async () => {
    const readme = readFileSync(path.join(root, 'examples/express/README.md'), 'utf8');
    const files = [...new Set([...readme.matchAll(/examples\/express\/[\w-]+\.yaml/g)].map(([file]) => file))];
    expect(files).to.have.length(3);
    for (const file of files) expect((await readScenario(path.join(root, file))).faults).not.to.deep.equal([]);
  });
});
