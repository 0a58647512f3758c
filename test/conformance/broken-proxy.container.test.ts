import path from 'node:path';
import { expect } from 'chai';
import type { Method } from '#src/conformance/exchange.js';
import { rows } from '#src/conformance/rows/registry.js';
import { runConformance } from '#src/conformance/run-conformance.js';
import type { RowFinding } from '#src/conformance/table.js';
import { packageFile } from '#src/shared/package.js';
import { type ExternalProxy, parseTemplate } from '#src/simulator/cluster/external/external-proxy.js';

const program = packageFile('dist/test/conformance/programs/broken-proxy.js');

/** Returns the small proxy of `programs/`, with these defects and a command that reloads it. */
function reloadable(...defects: readonly string[]): ExternalProxy {
  return { ...proxyWith(...defects), reload: 'kill -HUP {pid}' };
}

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

/** Does rows, each with one method. */
async function run(proxy: ExternalProxy, chosen: Readonly<Record<string, Method>>): Promise<readonly RowFinding[]> {
  const entries = Object.entries(rows).flatMap(([name, row]) => {
    const method = chosen[name];
    return method === undefined ? [] : [[name, { ...row, methods: [method] }] as const];
  });
  return runConformance({
    rows: Object.fromEntries(entries),
    proxies: [proxy],
    atOnce: 2,
    signal: new AbortController().signal,
    onFinding: () => {},
  });
}

/** Returns the words of all cells: `killed in flight POST: carried out twice`. */
function wordsOf(findings: readonly RowFinding[]): string[] {
  return findings.flatMap(({ row, method, cells }) =>
    Object.entries(cells).map(([phase, { says }]) => `${row} ${phase} ${method}: ${says}`),
  );
}

describe('the failure table of a proxy with a planted defect', function () {
  this.timeout(120_000);
  let ofSound: readonly string[] = [];

  before(async () => {
    const gets = { return: 'GET', 'first-visit': 'GET', restarted: 'GET' } as const;
    ofSound = wordsOf(await run(proxyWith(), { ...gets, killed: 'POST', 'cut-chunked': 'POST', reordered: 'POST' }));
  });

  for (const [defect, row, method, sound, broken] of [
    ['forgets', 'return', 'GET', 'return return GET: kept', 'return return GET: silently moved'],
    [
      'repeats',
      'killed',
      'POST',
      'killed in flight POST: error for 1 of 1',
      'killed in flight POST: carried out twice, moved',
    ],
    [
      'completes',
      'cut-chunked',
      'POST',
      'cut-chunked cut POST: cut passed on',
      'cut-chunked cut POST: cut answer completed',
    ],
    ['doubles', 'first-visit', 'GET', 'first-visit first GET: kept', 'first-visit first GET: several cookies'],
    ['invents', 'killed', 'POST', 'killed in flight POST: error for 1 of 1', 'killed in flight POST: unknown'],
  ] as const) {
    it(`shows a proxy that ${defect} in the row ${row}, and not the sound one`, async () => {
      expect(ofSound).to.include(sound);
      expect(wordsOf(await run(proxyWith(defect), { [row]: method }))).to.include(broken);
    });
  }

  it('comes back with an expired cookie, and says so where there is no lifetime', async () => {
    const words = wordsOf(await run(proxyWith('expires'), { expired: 'GET', 'gep-session-cookie': 'GET' }));
    expect(words).to.deep.equal(['gep-session-cookie lifetime GET: n/a', 'expired expired GET: kept']);
    expect(wordsOf(await run(proxyWith(), { expired: 'GET' }))).to.deep.equal(['expired expired GET: n/a']);
  });

  it('knows nothing of a reload that has no effect, although its users keep their sessions', async () => {
    const reloads = { reordered: 'GET', reloaded: 'GET' } as const;
    expect(wordsOf(await run(reloadable(), reloads))).to.deep.equal([
      'reordered reordered GET: kept',
      'reloaded in flight GET: kept',
      'reloaded after GET: kept',
    ]);
    expect(wordsOf(await run(reloadable('ignores'), reloads))).to.deep.equal([
      'reordered reordered GET: unknown',
      'reloaded in flight GET: unknown',
      'reloaded after GET: unknown',
    ]);
  });

  it('shows users that a restarted backend has forgotten', () => {
    expect(ofSound).to.include('restarted restarted GET: silently forgotten');
  });

  it('shows a row as not applicable when the proxy has no means for it', () => {
    expect(ofSound).to.include('reordered reordered POST: n/a');
  });
});
