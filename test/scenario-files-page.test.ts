import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { parseLine, windowPhases } from '#src/simulator/checker/verdict/expectations.js';
import { metricNames, windowMetricNames } from '#src/simulator/checker/verdict/metrics.js';
import { counterNames } from '#src/simulator/faults/trigger.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { scenarioFile } from '#src/simulator/scenario/schema.js';

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/scenario-files.md'), 'utf8');

/** Returns the texts in backticks of the first two columns of all tables in a section. */
function rowsOf(title: string): readonly (readonly [name: string, example: string])[] {
  const section = page.split(/^## /m).find(text => text.startsWith(`${title}\n`)) ?? '';
  const rows = [...section.matchAll(/^\| (?:`([^`]+)`|[a-z ]+) \| (?:`([^`]+)`|[a-z ]+) \|/gm)];
  return rows.map(([, name = '', example = '']) => [name, example]);
}

describe('docs/scenario-files.md', () => {
  it('shows a complete scenario that can be planned', () => {
    const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const scenario = parseScenario(example, 'example.yaml');
    expect(scenario.faults.map(({ id }) => id)).to.deep.equal(['cut', 'kill', 'hang']);
    expect(makePlan(scenario, scenario.seed).users.length).to.be.greaterThan(10);
  });

  it('has a row for every key of a scenario', () => {
    const names = rowsOf('Keys of a scenario').flatMap(([name]) => (name === '' ? [] : [name]));
    expect(names).to.have.members(Object.keys(scenarioFile.shape));
  });

  it('has a row for every trigger, and names every count that a fault can wait for', () => {
    expect(rowsOf('When a fault strikes').map(([name]) => name)).to.include.members(['at', 'after', 'when', 'for']);
    for (const name of counterNames) expect(page, name).to.include(`\`${name}\``);
  });

  it('has a row for every group of metrics, with a valid example', () => {
    const rows = rowsOf('What can be expected');
    const groups = new Set(metricNames.map(name => (name.includes('.') ? `${name.split('.')[0]}.*` : name)));
    expect(rows.flatMap(([name]) => (name === '' ? [] : [name]))).to.have.members([...groups]);
    const examples = rows.flatMap(([, example]) => (example === '' ? [] : [example]));
    expect(examples.length).to.be.greaterThan(groups.size);
    for (const example of examples) expect(() => parseLine(example), example).not.to.throw();
  });

  it('names every window, and every metric that can be counted within one', () => {
    for (const phase of windowPhases) expect(page).to.include(`\`${phase}\``);
    const within = /^Within a window[\s\S]*?\n\n(?=[A-Z])/m.exec(page)?.[0] ?? '';
    for (const name of windowMetricNames) {
      const isNamed = within.includes(`\`${name}\``) || within.includes(`\`${name.split('.')[0]}.*\``);
      expect(isNamed, name).to.equal(true);
    }
  });
});
