import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/kubernetes.md'), 'utf8');
const [scenario = '', deploy = '', commands = ''] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(
  ([, text = '']) => text,
);

/** The tests with the real kubectl run these snippets. This one is quick. */
describe('docs/kubernetes.md', () => {
  it('shows a scenario, a deploy and own commands that the reader of scenarios accepts', () => {
    const indented = commands.trimEnd().replaceAll(/^/gm, '    ');
    const own = scenario
      .replace('  members: { driver: kubectl, selector: app=shop }', `  members:\n    selector: app=shop\n${indented}`)
      .replace('do: kill', 'do: hang');
    const deployed = scenario.replace('faults:\n', `faults:\n  ${deploy}`);
    expect(parseScenario(scenario, 'page.yaml').faults.map(fault => fault.do)).to.deep.equal(['kill']);
    expect(parseScenario(deployed, 'page.yaml').faults.map(fault => fault.do)).to.deep.equal(['deploy', 'kill']);
    expect(parseScenario(own, 'page.yaml').faults.map(fault => fault.do)).to.deep.equal(['hang']);
  });
});
