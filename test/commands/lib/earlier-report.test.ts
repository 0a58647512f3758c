import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { readEarlierReport } from '#src/commands/lib/earlier-report.js';
import { UsageError } from '#src/commands/lib/flags.js';
import { reporters } from '#src/report/reporters/registry.js';
import { ScenarioError } from '#src/simulator/errors.js';
import { sampleRun } from '../../report/sample-runs.js';
import { root } from '../holdfast.js';
import { commandLine } from '../in-process.js';

async function read(text: string | undefined) {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-against-'));
  const file = path.join(folder, 'last.json');
  try {
    if (text !== undefined) await writeFile(file, text);
    return await readEarlierReport(file, 'kill-one');
  } finally {
    await rm(folder, { recursive: true });
  }
}

const runs = [sampleRun({ mode: 'sticky' }), sampleRun({ mode: 'redis' }), sampleRun({ mode: 'redis', seed: 7 })];
const report = reporters.json.report(runs, { colour: false });

describe('an earlier report', () => {
  it('can be read from the output of the JSON reporter', async () => {
    const { seed, modes } = await read(report);
    expect(seed).to.equal(42);
    expect(modes.map(({ mode, runs, lost }) => `${mode}: ${lost.times} of ${runs}`)).to.deep.equal([
      'sticky: 1 of 1',
      'redis: 0 of 2',
    ]);
    const held = modes[1]?.expectations.find(({ text }) => text === 'writes.lost == 0');
    expect(held).to.include({ held: 2, judged: 2 });
  });

  const edited = (edit: (whole: { [key: string]: unknown; runs: Record<string, unknown>[] }) => void) => {
    const whole = JSON.parse(report);
    edit(whole);
    return JSON.stringify(whole);
  };
  const bad: readonly (readonly [what: string, text: string | undefined, says: string])[] = [
    ['is not there', undefined, 'found no such file, expected a file that "holdfast run --json" wrote'],
    ['is no JSON', 'name: kill-one', 'found no JSON, expected a file that'],
    ['is no report', '[1]', 'found no report, expected a file that'],
    ['is a matrix', '{"schema":1,"modes":[],"rows":[]}', 'found a report without runs'],
    [
      'has another schema',
      edited(whole => Object.assign(whole, { schema: 2 })),
      'found schema 2, expected schema 1: run it again',
    ],
    [
      'is of another scenario',
      edited(whole => Object.assign(whole, { scenario: 'hang-one' })),
      'found a report of scenario "hang-one", expected one of "kill-one"',
    ],
    [
      'has a strange verdict',
      edited(({ runs: [run] }) => Object.assign(run ?? {}, { verdict: 'green' })),
      'runs[0]: found no valid verdict',
    ],
    ['counts nothing', edited(({ runs }) => delete runs[2]?.writes), 'runs[2]: found no valid writes.lost'],
    [
      'has an expectation without a result',
      edited(({ runs: [run] }) => Object.assign(run ?? {}, { expectations: [{ text: 'writes.lost == 0' }] })),
      'runs[0].expectations[0]: found no valid met',
    ],
  ];
  for (const [what, text, says] of bad) {
    it(`is refused in one sentence when it ${what}`, async () => {
      const error: unknown = await read(text).catch((problem: unknown) => problem);
      expect(error).to.satisfy((one: unknown) => one instanceof UsageError || one instanceof ScenarioError);
      expect(String(error)).to.include('last.json').and.include(says).and.not.include('\n');
    });
  }
});

describe('holdfast run --against', () => {
  const [killOne, hangOne] = ['kill-one', 'hang-one'].map(name => path.join(root, `scenarios/${name}.yaml`));
  for (const [what, args, says] of [
    ['a file that is no report', [killOne, '--against', killOne], 'kill-one.yaml: found no JSON, expected a file that'],
    ['one file for two scenarios', [killOne, hangOne, '--against', 'last.json'], '--against "{scenario}.json"'],
    ['a file that is not there', [killOne, '--against', 'last.json'], 'last.json: found no such file'],
  ] as const) {
    it(`exits with 3 for ${what} before anything runs`, async () => {
      const { code, stderr, left } = await commandLine(['run', ...args.map(String)]);
      expect(code, stderr).to.equal(3);
      expect(stderr).to.include(says);
      expect(left).to.deep.equal([]);
    });
  }
});
