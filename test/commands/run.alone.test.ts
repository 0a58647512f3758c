/**
 * Whole runs whose verdicts count. They want the machine for themselves: beside other tests the driver would be late, and
 * a run whose driver is late is inconclusive, as it should be.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { type ModeName, modeNames } from '#src/modes.js';
import { makePlan } from '#src/simulator/plan.js';
import { parseScenario } from '#src/simulator/scenario-file.js';
import { fewAtOnce } from '../few-at-once.js';
import { root, withHoldfast } from './holdfast.js';

/** The part of the JSON contract that these tests read. */
interface Result {
  readonly schema: number;
  readonly runs: readonly {
    readonly mode: string;
    readonly verdict: string;
    readonly users: Record<string, number>;
    readonly writes: Record<string, number>;
    readonly requests: Record<string, number>;
    readonly faults: readonly { readonly confirmedMs: number | null; readonly healedMs: number | null }[];
    readonly expectations: readonly { readonly text: string; readonly met: boolean }[];
  }[];
}

interface Finished {
  readonly code: number | null;
  readonly result: Result;
  readonly text: string;
  readonly plan: string;
}

async function runScenario(file: string, ...args: readonly string[]): Promise<Finished> {
  return withHoldfast(['run', file, '--json', 'out.json', ...args], async holdfast => {
    const code = await holdfast.ended();
    const text = holdfast.output.stdout + holdfast.output.stderr;
    expect(await holdfast.children(), text).to.deep.equal([]);
    expect(await holdfast.temporaryFiles(), text).to.deep.equal([]);
    const json = await readFile(path.join(holdfast.folder, 'out.json'), 'utf8').catch(() => '{"runs":[]}');
    const result: Result = JSON.parse(json);
    const [, report = ''] = /report: (.*)\n/.exec(holdfast.output.stdout) ?? [];
    const plan = await readFile(path.join(holdfast.folder, path.dirname(report), 'plan.json'), 'utf8').catch(() => '');
    return { code, result, text, plan };
  });
}

/** Where there is something to see; all modes of all scenarios would take longer than anybody waits. Each mode under a
 * store that hangs or comes back empty is in store-outages.test.ts, every fault by itself in faults.test.ts; that no
 * shared mode loses a session to a killed backend is in shared-sessions.contract.ts. */
const shipped: Readonly<Record<string, readonly ModeName[]>> = {
  'kill-one': ['sticky', 'sealed'],
  'redis-failover': ['redis'],
  'postgres-outage': ['postgres'],
  'replace-secrets': ['jwt'],
  eviction: ['memcached'],
  'two-proxies': ['sticky'],
};

/** A mode whose run is inconclusive since something else wanted the machine for a moment is run again, when nothing
 * else is under way, and counts as it is then. */
async function runsOf(
  file: string,
  modes: readonly ModeName[],
  first: Promise<Finished> = runScenario(file, '--mode', modes.join(',')),
  others: readonly Promise<Finished>[] = [],
  triesLeft = 3,
): Promise<Result['runs']> {
  const { code, result, text } = await first;
  const inconclusive = result.runs.filter(({ verdict }) => verdict === 'inconclusive').map(({ mode }) => mode);
  const late = modes.filter(mode => inconclusive.includes(mode));
  if (late.length === 0 || !/The driver itself was late|No processor was idle/.test(text)) {
    expect(code, text).to.equal(0);
    return result.runs;
  }
  if (triesLeft === 0) expect.fail(text);
  await Promise.allSettled(others);
  const again = await runsOf(file, late, undefined, [], triesLeft - 1);
  return result.runs.map(run => again.find(({ mode }) => mode === run.mode) ?? run);
}

/** A lab mostly waits: two of them leave each other enough of two cores. */
const labsAtOnce = 2;
const shippedFile = (name: string) => path.join(root, `scenarios/${name}.yaml`);

describe('the shipped scenarios', function () {
  this.timeout(120_000);
  const rows = Object.entries(shipped);
  let finished: Promise<Finished>[] = [];

  before(() => {
    finished = fewAtOnce(
      labsAtOnce,
      rows.map(
        ([name, modes]) =>
          () =>
            runScenario(shippedFile(name), '--mode', modes.join(',')),
      ),
    );
    // Each is looked at in its own test.
    for (const run of finished) run.catch(() => undefined);
  });

  it('are run in every mode between them', () => {
    expect([...new Set(Object.values(shipped).flat())]).to.have.members(modeNames);
  });

  for (const [index, [name, modes]] of rows.entries()) {
    it(`${name} gives its verdict in ${modes.join(', ')}`, async () => {
      const runs = await runsOf(shippedFile(name), modes, finished[index], finished);
      expect(runs.map(({ mode, verdict }) => `${mode} ${verdict}`)).to.deep.equal(modes.map(mode => `${mode} pass`));
      for (const run of runs) {
        expect(run.expectations.length).to.be.greaterThan(3);
        expect(run.writes.acknowledged).to.be.greaterThan(50);
        for (const fault of run.faults)
          expect(fault.healedMs).to.be.greaterThan(fault.confirmedMs ?? Number.POSITIVE_INFINITY);
      }
    });
  }
});

/** A short run; `extra` goes into the system, `faults` are YAML lines. */
const short = (env: string, faults: string, expectations: string, think = '60ms') => `
name: short
why: a test
seed: 3
modes: [sticky, redis]
system:
  backends: { count: 2${env === '' ? '' : `, env: { SHOP_DEFECT: ${env} }`} }
  proxy: { health: { every: 200ms, timeout: 200ms, fall: 2, rise: 2 } }
users:
  arrivals: { rate: 40/s, for: 500ms, process: uniform, max-active: 100 }
  think: { median: ${think}, p95: ${think === '60ms' ? '150ms' : think} }
  timeout: 2s
  journey: shop
phases: { warmup: 100ms, baseline: 500ms, faults: 1200ms, recovery: 200ms, quiesce: 100ms }
faults: ${faults}
expect:
  any:
${expectations}
`;

const nothingWrong = [
  'users.loggedOut == 0',
  'users.identitySwapped == 0',
  'users.logoutNotHonoured == 0',
  'writes.lost == 0',
  'writes.phantom == 0',
  'writes.duplicated == 0',
  'writes.resurrected == 0',
  'writes.stale == 0',
  'requests.failed == 0',
].map(line => `    - ${line}`);

async function runText(text: string, ...args: readonly string[]): Promise<Finished> {
  return runScenario(await written(text), ...args);
}

async function written(text: string): Promise<string> {
  const file = path.join(root, 'dist', `short-${process.pid}.yaml`);
  await writeFile(file, text);
  return file;
}

describe('planted defects', function () {
  this.timeout(60_000);

  it('finds nothing in the correct shop, in both modes', async () => {
    const runs = await runsOf(await written(short('', '[]', nothingWrong.join('\n'))), ['sticky', 'redis']);
    expect(runs.map(({ verdict }) => verdict)).to.deep.equal(['pass', 'pass']);
  });

  const planted = [
    {
      defect: 'drop-writes',
      found: (run: Result['runs'][number]) => run.writes.lost,
      quiet: ['phantom', 'duplicated', 'resurrected'],
    },
  ];

  for (const { defect, found, quiet } of planted) {
    it(`finds ${defect} under its own name`, async () => {
      const { code, result, text } = await runText(short(defect, '[]', nothingWrong.join('\n')), '--mode', 'redis');
      expect(code, text).to.equal(1);
      for (const run of result.runs) {
        expect(found(run), `${run.mode}\n${text}`).to.be.greaterThan(0);
        for (const name of quiet) expect(run.writes[name], `${run.mode} ${name}`).to.equal(0);
      }
    });
  }
});

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
    const kept = `${JSON.stringify(makePlan(parseScenario(yaml, 'short.yaml'), 99))}\n`;
    const file = path.join(root, 'dist', `short-${process.pid}.json`);
    await writeFile(file, kept);
    const { code, text, plan, result } = await runText(yaml, '--mode', 'redis', '--plan', file);
    expect(code, text).to.equal(2);
    expect(plan).to.equal(kept);
    expect(result).to.include({ seed: 99 });
  });
});

describe('a recorded history', function () {
  this.timeout(60_000);

  it('is judged again to the same findings, loss and all', async () => {
    const kill = '\n  - { id: kill, at: 100ms, do: kill, target: backend-2, for: 500ms }';
    const file = await written(short('', kill, '    - writes.lost > 0'));
    await withHoldfast(
      ['run', file, '--mode', 'sticky', '--seed', '7', '--json', 'a.json', '--history', 'h.ndjson'],
      async first => {
        expect(await first.ended(), first.output.stderr).to.equal(0);
        await withHoldfast(['report', path.join(first.folder, 'h.ndjson'), '--json', 'b.json'], async again => {
          expect(await again.ended(), again.output.stderr).to.equal(0);
          const files = [path.join(first.folder, 'a.json'), path.join(again.folder, 'b.json')];
          const [ran, reported] = await Promise.all(files.map(each => readFile(each, 'utf8')));
          expect(JSON.parse(reported ?? '')).to.deep.equal(JSON.parse(ran ?? ''));
          expect(JSON.parse(ran ?? '')).to.include({ seed: 7 });
        });
      },
    );
  });
});
