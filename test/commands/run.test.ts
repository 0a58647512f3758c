/** Whole runs of which it does not matter whether the driver was late: beside other tests they end as they do alone. */
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

  it('a fault that cannot be confirmed: exit 2, and why', async () => {
    const faults =
      '\n  - { id: kill, at: 100ms, do: kill, target: backend-2, for: 1s }\n  - { id: hang, at: 400ms, do: hang, target: backend-2, for: 200ms }';
    const { code, result, text } = await runText(short('', faults, '    - writes.phantom == 0'), '--mode', 'redis');
    expect(code, text).to.equal(2);
    expect(result.runs[0]?.verdict).to.equal('inconclusive');
    expect(text).to.match(/hang.*not confirmed/s);
  });

  it('users who wrote nothing: exit 2; by a plan that was kept, which is written again to the byte', async () => {
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
