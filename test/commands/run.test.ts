/** Whole runs whose verdict does not depend on a punctual driver, so they can run at the same time as other tests. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { makePlan } from '#src/simulator/plan/plan.js';
import { writePlan } from '#src/simulator/plan/plan-file.js';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { root } from './holdfast.js';
import { runText, short } from './ran.js';

describe('inconclusive runs', function () {
  this.timeout(60_000);

  it('exit with 2 and the reason when a fault cannot be confirmed', async () => {
    const faults =
      '\n  - { id: kill, at: 100ms, do: kill, target: backend-2, for: 1s }\n  - { id: hang, at: 400ms, do: hang, target: backend-2, for: 200ms }';
    const { code, result, text } = await runText(
      short('', faults, '    - writes.phantom == 0', '300ms'),
      '--mode',
      'redis',
    );
    expect(code, text).to.equal(2);
    expect(result.runs[0]?.verdict).to.equal('inconclusive');
    expect(text).to.match(/hang.*not confirmed/s);
  });

  it('exit with 2 when users wrote nothing; a repeated plan is written again byte by byte', async () => {
    const yaml = short('', '[]', '    - writes.phantom == 0', '60s');
    const kept = writePlan(makePlan(parseScenario(yaml, 'short.yaml'), 99));
    const file = path.join(root, 'dist', `short-${process.pid}.json`);
    await writeFile(file, kept);
    const { code, text, plan, result } = await runText(yaml, '--mode', 'redis', '--plan', file);
    expect(code, text).to.equal(2);
    expect(text).to.include('No write was acknowledged');
    expect(plan).to.equal(kept);
    expect(result).to.include({ seed: 99 });
  });
});
