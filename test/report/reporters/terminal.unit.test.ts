import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { modeNames } from '#src/modes.js';
import { reporters } from '#src/report/reporters/registry.js';
import type { JudgedRun } from '#src/simulator/checker/verdict/verdict.js';
import { changed, sampleRun, sampleRuns } from '../sample-runs.js';

const plain = (runs: readonly JudgedRun[]) => reporters.terminal.report(runs, { colour: false });
const [sticky = sampleRun({ mode: 'sticky' }), redis = sampleRun({ mode: 'redis' })] = sampleRuns();
/** Returns the width of the widest line of the table. */
const widthOf = (text: string) => Math.max(...linesOf(text).map(line => (/^[┌│├└]/.test(line) ? line.length : 0)));
const unmet = { text: 'writes.lost == 0', met: false, actual: '362' };

describe('the terminal reporter', () => {
  it('shows one sentence per mode and every row of the comparison, within 20 lines', () => {
    const text = plain([sticky, redis]);
    expect(linesOf(text).length).to.be.at.most(20);
    const { users, writes } = sticky.findings;
    expect(text).to.include(
      `sticky: ${users.loggedOut} of 20 exposed users logged out, as expected (60 in all), ${writes.lost} of`,
    );
    expect(text).to.include('redis: 0 of 20 exposed users logged out (60 in all), 0 of');
    for (const row of ['users logged out', 'writes lost', 'requests failed', 'p50 / p99', 'recovery', 'verdict']) {
      expect(text).to.include(row);
    }
  });

  it('keeps the table of two modes within 80 columns', () => {
    const table = linesOf(plain([sticky, redis])).filter(line => /^[┌│├└]/.test(line));
    expect(table.length).to.equal(11);
    for (const line of table) expect(line.length).to.be.at.most(80);
  });

  it('counts the logouts of the exposed users, and says which losses the scenario expects', () => {
    const users = { ...sticky.findings.users, total: 64, exposed: 21, loggedOut: 19 };
    const text = plain([changed(sticky, { findings: { users } }), redis]);
    expect(text).to.match(/users logged out +│ +19 of 21 exposed \(64 users\) │ +0 of 20 exposed \(60 users\) │/);
    expect(text).to.match(/│ +│ +as expected │ +│/);
    expect(text).to.match(/writes lost +│ +\d+ of [\d,]+, as expected │ +0 of [\d,]+ │/);
    const strangers = plain([changed(sticky, { findings: { users: { ...users, loggedOutUnexposed: 2 } } })]);
    expect(strangers).to.match(/│ +17 of 21 exposed \(64 users\) \+ 2 others │/);
  });

  it('shows users that saw two versions or moved, only when there were two versions or a hash', () => {
    expect(plain([sticky])).to.not.match(/saw two versions|users moved/);
    const users = { ...sticky.findings.users, sawBothVersions: 52, wentBack: 3, present: 50, moved: 24 };
    const text = plain([
      changed(sticky, { findings: { users, versions: { A: 9, B: 9 }, hashMoves: { added: 1, all: 2 } } }),
    ]);
    expect(text).to.match(/saw two versions +│ +52 of 60 users, 3 went back │/);
    const words = text.replaceAll(/[│\s]+/g, ' ');
    expect(words).to.match(
      /users moved 24 of 50 users \(48 %\),? expected when only its own keys move: 1 of 2 backends/,
    );
  });

  const unexpected: [string, Parameters<typeof changed>[1]][] = [
    ['the run is no pass', { verdict: { word: 'fail' } }],
    [
      'only a warning allows it',
      {
        run: {
          header: { ...sticky.run.header, expectations: [{ warn: 'users.loggedOut > 0' }, 'writes.phantom == 0'] },
        },
      },
    ],
    ['the scenario forbids it', { run: { header: { ...sticky.run.header, expectations: ['writes.lost == 0'] } } }],
  ];
  for (const [why, parts] of unexpected) {
    it(`calls no loss expected when ${why}`, () => {
      expect(plain([changed(sticky, parts)])).to.not.include('as expected');
    });
  }

  it('calls a loss expected when the scenario only allows it', () => {
    const header = { ...sticky.run.header, expectations: ['users.loggedOut == 0', 'writes.lost < 60 %'] };
    expect(plain([changed(sticky, { run: { header } })]).match(/as expected │/g)).to.have.length(1);
  });

  it('counts logouts of all users when no fault struck, and says how many losses are unexplained', () => {
    const users = { ...redis.findings.users, exposed: null };
    const writes = { ...redis.findings.writes, acknowledged: 1204, lost: 402, unexplained: 3 };
    const text = plain([changed(redis, { run: { faults: [] }, findings: { users, writes } })]);
    expect(text).to.match(/users logged out +│ +0 of 60 │/);
    expect(text).to.match(/writes lost +│ +402 of 1,204 \(unexplained 3\) │/);
    expect(text).to.match(/recovery +│ +no fault injected │/);
  });

  it('has a row for the effect of faults only when an effect was not seen', () => {
    expect(plain([sticky, redis])).to.not.include('effect of faults');
    const faults = redis.findings.faults.map(fault => ({ ...fault, effect: { seen: 0, of: 9, text: 'none of 9' } }));
    const text = plain([sticky, changed(redis, { findings: { faults } })]);
    expect(text).to.match(/effect of faults +│ +seen │ +not seen │/);
  });

  it('lists expectations that were not judged, with the reason, and not as met, unmet or a warning', () => {
    const late = { met: false, actual: '3.1 %', notJudged: 'the machine was busy for 2.1 s.' };
    const expectations = [
      { ...late, text: 'requests.failed < 2 %' },
      { ...late, text: 'latencyMs.p99 < 50', level: 'warn' } as const,
    ];
    const text = plain([changed(redis, { verdict: { word: 'pass', reasons: [], expectations } })]);
    expect(text).to.include('redis: not judged: requests.failed < 2 % (the machine was busy for 2.1 s)\n');
    expect(text).to.include('redis: not judged: latencyMs.p99 < 50 (').and.include('2 expectations not judged — pass');
    expect(text).to.not.match(/warning|expected (requests|latency)/);
  });

  it('gives every reason of a fail, and each unmet expectation once', () => {
    const reasons = ['backend-2 did not come back: exit code 1.', 'Expected writes.lost == 0; it was 362.'];
    const text = plain([changed(redis, { verdict: { word: 'fail', reasons, expectations: [unmet] } })]);
    expect(text).to.include('redis: backend-2 did not come back: exit code 1.');
    expect(text).to.include('redis: expected writes.lost == 0, measured 362').and.not.include('it was 362');
  });

  it('fits six modes into a narrow terminal: several tables, each with the names of the modes', () => {
    const runs = modeNames.map(mode => changed(sticky, { run: { header: { ...sticky.run.header, mode } } }));
    for (const columns of [60, 80]) {
      const text = reporters.terminal.report(runs, { colour: true, columns });
      expect(widthOf(stripVTControlCharacters(text))).to.be.at.most(columns);
      expect(linesOf(text).filter(line => line.includes('┌')).length).to.be.greaterThan(1);
      expect(text.match(/│ memcached /g)?.length).to.equal(linesOf(text).filter(line => line.includes('┌')).length);
      expect(text).to.include('verdict').and.to.include('p99');
    }
  });

  it('has at most 20 lines even when much went wrong, and says how much it left out', () => {
    const bad = changed(sticky, {
      verdict: { word: 'fail', reasons: [], expectations: Array.from({ length: 30 }, () => unmet) },
    });
    const lines = linesOf(plain([bad, redis]));
    expect(lines.length).to.be.at.most(20);
    expect(lines.at(-1)).to.match(/27 more/);
  });

  it('lists each unmet expectation once with its measured value, and no met one', () => {
    const met = { text: 'users.loggedOut > 0', met: true, actual: '20' };
    const reasons = ['Expected writes.lost == 0, measured 362.'];
    const text = plain([changed(redis, { verdict: { word: 'fail', reasons, expectations: [unmet, met] } })]);
    expect(text).to.include('redis: expected writes.lost == 0, measured 362');
    expect(text.match(/measured/g)).to.have.length(1);
    expect(text).to.not.include('users.loggedOut > 0');
  });

  it('counts the warnings of a passed run in the sentence and lists them', () => {
    const warned = { ...unmet, level: 'warn' } as const;
    const heeded = { text: 'writes.stale == 0', level: 'warn', met: true, actual: '0' } as const;
    const text = plain([changed(redis, { verdict: { word: 'pass', reasons: [], expectations: [warned, heeded] } })]);
    expect(text).to.match(/^redis: .*, 1 warning — pass$/m);
    expect(text).to.include('redis: warning: Expected writes.lost == 0; it was 362.').and.not.include('writes.stale');
    expect(text).not.to.include('measured');
  });

  it('gives the reason of an inconclusive run', () => {
    const reasons = ['The fault kill was not confirmed within 5 s.'];
    const text = plain([changed(redis, { verdict: { word: 'inconclusive', reasons, expectations: [] } })]);
    expect(text).to.include('redis: The fault kill was not confirmed within 5 s.');
  });

  it('says "not recovered" and "none acknowledged" in the table instead of a number', () => {
    const nothing = { ...redis.findings.writes, acknowledged: 0, lost: 0 };
    const text = plain([
      changed(redis, { findings: { recovery: 'not recovered', recoveryMs: null, writes: nothing } }),
    ]);
    expect(text)
      .to.match(/recovery +│ +not recovered/)
      .and.match(/writes lost +│ +none acknowledged/);
  });

  it('shows modes that do not fit side by side one below the other, within 100 columns, and numbers repeats', () => {
    const text = plain([sticky, redis, sticky, redis, sticky, redis, sticky]);
    expect(text).to.match(/^│ sticky #4 +│/m);
    expect(text).to.match(/^│ redis +│ +0 of 20 exposed /m);
    expect(widthOf(text)).to.be.at.most(100);
  });

  it('shows every mode within 100 columns for every verdict, and a reason for each', () => {
    const reasons = ['The driver itself was late.'];
    const runs = modeNames.map(mode =>
      changed(sampleRun({ mode: 'sticky' }), {
        run: { header: { ...sticky.run.header, mode } },
        verdict: { word: 'inconclusive', reasons, expectations: [] },
      }),
    );
    const text = plain(runs);
    expect(widthOf(text)).to.be.at.most(100);
    for (const mode of modeNames) expect(text).to.match(new RegExp(`^${mode}: The driver itself was late`, 'm'));
  });

  it('uses colours only when told to, and never changes a word', () => {
    const coloured = reporters.terminal.report([sticky, redis], { colour: true });
    expect(coloured).to.include('\u001b[32m');
    expect(plain([sticky, redis])).to.not.include('\u001b');
    expect(stripVTControlCharacters(coloured)).to.equal(plain([sticky, redis]));
  });

  it('removes control characters from texts of scenarios and answers', () => {
    const hostile = { text: 'a\u001b[2J\u0007b', met: false, actual: '\u009b31m\nredis: all is well' };
    const text = plain([changed(redis, { verdict: { word: 'fail', reasons: [], expectations: [hostile] } })]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the output must not contain them
    expect(text).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(text).to.not.match(/^redis: all is well/m);
  });
});

function linesOf(text: string): string[] {
  return text.trimEnd().split('\n');
}
