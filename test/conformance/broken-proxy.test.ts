import path from 'node:path';
import { expect } from 'chai';
import { rows } from '#src/conformance/rows/registry.js';
import { type Finding, runConformance } from '#src/conformance/run-conformance.js';
import { packageFile } from '#src/shared/package-file.js';
import type { ExternalProxy } from '#src/simulator/cluster/external/external-proxy.js';
import { parseTemplate } from '#src/simulator/cluster/external/template.js';

const program = packageFile('dist/test/conformance/programs/broken-proxy.js');

/** Returns the small proxy of `programs/`, with these defects. */
function proxyWith(...defects: readonly string[]): ExternalProxy {
  const config = `listen {{port}}\ndefect ${defects.join(' ')}\n{{#backends}}\nbackend {{name}} {{port}}\n{{/backends}}\n`;
  return {
    name: ['sound', ...defects].at(-1) ?? '',
    command: `exec ${process.execPath} ${program} {config}`,
    directory: path.dirname(program),
    config: parseTemplate(config, 'broken-proxy.conf'),
    ready: { withinMs: 5_000 },
    env: {},
  };
}

async function run(proxy: ExternalProxy, ...names: readonly string[]): Promise<readonly Finding[]> {
  return runConformance({
    rows: Object.fromEntries(Object.entries(rows).filter(([name]) => names.includes(name))),
    proxies: [proxy],
    atOnce: 2,
    signal: new AbortController().signal,
    onFinding: () => {},
  });
}

/** Returns the words of all cells: `killed in flight POST: carried out twice`. */
function wordsOf(findings: readonly Finding[]): string[] {
  return findings.flatMap(({ row, method, cells }) =>
    Object.entries(cells).map(([phase, { says }]) => `${row} ${phase} ${method}: ${says}`),
  );
}

describe('the failure table of a proxy with a planted defect', () => {
  let ofSound: readonly string[] = [];

  before(async function () {
    this.timeout(60_000);
    const names = ['return', 'killed', 'cut-chunked', 'first-visit', 'restarted', 'reordered'];
    ofSound = wordsOf(await run(proxyWith(), ...names));
  });

  for (const [defect, row, sound, broken] of [
    ['forgets', 'return', 'return return GET: kept', 'return return GET: silently moved'],
    ['repeats', 'killed', 'killed in flight POST: error for 1 of 1', 'killed in flight POST: carried out twice, moved'],
    ['completes', 'cut-chunked', 'cut-chunked cut POST: cut passed on', 'cut-chunked cut POST: cut answer completed'],
    ['doubles', 'first-visit', 'first-visit first GET: kept', 'first-visit first GET: several cookies'],
    ['invents', 'killed', 'killed in flight POST: error for 1 of 1', 'killed in flight POST: unknown'],
  ] as const) {
    it(`shows a proxy that ${defect} in the row ${row}, and not the sound one`, async () => {
      expect(ofSound).to.include(sound);
      expect(wordsOf(await run(proxyWith(defect), row))).to.include(broken);
    });
  }

  it('shows users that a restarted backend has forgotten', () => {
    expect(ofSound).to.include('restarted restarted GET: silently forgotten');
  });

  it('shows a row as not applicable when the proxy has no means for it', () => {
    expect(ofSound).to.include('reordered reordered POST: n/a');
  });
});
