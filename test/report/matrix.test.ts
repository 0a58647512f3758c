import { expect } from 'chai';
import { matrixPage } from '#src/report/html/tables.js';
import {
  addOtherTry,
  type MatrixOutcome,
  matrixCell,
  matrixJson,
  matrixOf,
  matrixText,
  notApplicable,
} from '#src/report/matrix.js';
import type { RecoveryState } from '#src/simulator/checker/findings.js';
import type { JudgedRun, VerdictWord } from '#src/simulator/checker/verdict/verdict.js';
import type { ExpectationLine } from '#src/simulator/history/records.js';
import { changed, sampleRun } from './sample-runs.js';

const sticky = sampleRun({ mode: 'sticky' });
const redis = sampleRun({ mode: 'redis' });

function judged(
  run: JudgedRun,
  word: VerdictWord,
  expectations: readonly ExpectationLine[],
  scenario = 'kill-one',
): JudgedRun {
  const header = { ...run.run.header, expectations, scenario };
  return changed(run, { run: { header }, verdict: { word, reasons: [], expectations: [] } });
}

describe('a cell of the survival matrix', () => {
  const table: readonly [MatrixOutcome, JudgedRun, VerdictWord, readonly ExpectationLine[]][] = [
    ['kept', redis, 'pass', ['writes.lost == 0']],
    ['kept', redis, 'pass', ['writes.lost < 50 %']],
    ['kept', redis, 'pass', ['users.identitySwapped > 0']],
    ['expected-loss', sticky, 'pass', ['users.loggedOut > 0']],
    ['expected-loss', sticky, 'pass', ['writes.lost >= 5 %']],
    ['expected-loss', sticky, 'pass', ['writes.lost != 0']],
    ['expected-loss', sticky, 'pass', ['writes.lost < 90 %']],
    ['unexpected-loss', sticky, 'fail', ['writes.lost < 90 %']],
    ['unexpected-loss', sticky, 'fail', ['writes.lost == 0', 'users.loggedOut == 0']],
    ['unexpected-loss', sticky, 'pass', ['requests.failed < 90 %']],
    ['missing-loss', redis, 'fail', ['users.loggedOut > 0']],
    ['kept', redis, 'pass', [{ warn: 'users.loggedOut > 0' }]],
    ['missing-loss', redis, 'fail', ['writes.lost during faults > 0']],
    ['inconclusive', redis, 'inconclusive', ['users.loggedOut > 0']],
    ['inconclusive', sticky, 'inconclusive', []],
  ];
  for (const [outcome, run, word, expectations] of table) {
    it(`${outcome}: ${run.run.header.mode}, ${word}, ${expectations.map(line => (typeof line === 'string' ? line : `warn ${line.warn}`)).join(' and ') || 'nothing'}`, () => {
      expect(matrixCell(judged(run, word, expectations)).outcome).to.equal(outcome);
    });
  }

  it('holds the counts of its run', () => {
    const { users, writes, requests } = sticky.findings;
    expect(matrixCell(judged(sticky, 'pass', ['writes.lost > 0']))).to.include({
      scenario: 'kill-one',
      mode: 'sticky',
      loggedOut: users.loggedOut,
      writesLost: writes.lost,
      acknowledged: writes.acknowledged,
      requestsFailed: requests.failed,
      recoveryMs: 312,
      expectedLoss: true,
      word: 'pass',
    });
  });
});

describe('the survival matrix', () => {
  const hostile = `</td><img src=x onerror="1">\u001b[2J`;
  const matrix = matrixOf(
    [
      judged(sticky, 'pass', ['writes.lost > 0']),
      judged(redis, 'pass', ['writes.lost == 0']),
      judged(sticky, 'inconclusive', [], hostile),
    ].map(matrixCell),
  );

  it('has a row for each scenario and a column for each mode, and says what was not run', () => {
    expect(matrix.columns).to.deep.equal(['sticky', 'redis']);
    expect(matrix.rows.map(({ cells }) => cells.map(({ outcome }) => outcome))).to.deep.equal([
      ['expected-loss', 'kept'],
      ['inconclusive', 'not-run'],
    ]);
  });

  it('distinguishes the outcomes on a terminal without colours', () => {
    const text = matrixText(matrix, { colour: false });
    const { users, writes } = sticky.findings;
    expect(text).to.match(new RegExp(`▼ ${users.loggedOut} / ${writes.lost} `));
    expect(text)
      .to.match(/✓ 0 \/ 0 .*/)
      .and.match(/\? \d+ \/ \d+/)
      .and.match(/– │/);
    expect(text).to.match(
      /▼ lost, as expected · ✗ lost, not expected, or nothing lost where a loss must be seen, or another expectation fails ·/,
    );
    expect(text).to.include('· not applicable');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the output must not contain it
    expect(text).to.not.match(/\u001b/);
    for (const line of matrixText(matrix, { colour: false, columns: 60 }).split('\n').slice(0, -3)) {
      expect(line.length).to.be.at.most(60);
    }
  });

  it('distinguishes a failed run from one that kept everything', () => {
    const failed = matrixOf([matrixCell(judged(redis, 'fail', ['writes.lost == 0']))]);
    expect(matrixText(failed, { colour: false })).to.include('✗ 0 / 0');
    const page = matrixPage(failed, [], '');
    expect(page).to.include('kept, but another expectation fails').and.include('✗ another expectation fails');
  });

  it('renders a page with the problems and the command to repeat it, and escapes hostile texts', () => {
    const problem = {
      scenario: hostile,
      mode: 'sticky',
      word: 'inconclusive',
      reasons: ['The driver was late.'],
    } as const;
    const page = matrixPage(matrix, [problem], 'node dist/cli.js matrix --modes sticky');
    expect(page).to.include('in sticky: inconclusive. The driver was late.').and.include('matrix --modes sticky');
    expect(page.match(/lost, as expected/g)).to.have.length(2);
    expect(page).to.include('script-src &#39;none&#39;').and.not.include('<script').and.not.include('<img');
  });

  it('shows a fault without a target as not applicable, never as a pass', () => {
    const why = { mode: 'jwt', fault: 'outage', target: 'postgres', why: 'mode jwt uses no postgres' } as const;
    const [kept, none] = [judged(redis, 'pass', ['writes.lost == 0']), notApplicable('kill-one', why)];
    expect(none).to.include({ outcome: 'not-applicable', word: null, loggedOut: 0 });
    expect(none.why).to.equal('mode jwt uses no postgres (fault outage strikes postgres)');
    const drawn = matrixOf([matrixCell(kept), none]);
    expect(matrixText(drawn, { colour: false })).to.match(/✓ 0 \/ 0 │ +· │/);
    expect(matrixPage(drawn, [], '')).to.include('title="mode jwt uses no postgres (fault outage strikes postgres)"');
    expect(JSON.parse(matrixJson(drawn, [kept])).rows[0].cells[1]).to.deep.include(none.why && { why: none.why });
  });

  it('shows the recovery of the findings', () => {
    const found = (recovery: RecoveryState, recoveryMs: number | null) =>
      matrixText(matrixOf([matrixCell(changed(redis, { findings: { recovery, recoveryMs } }))]), { colour: false });
    expect(found('recovered', 1234)).to.match(/│ +\d+ \/ 1\.2 s │/);
    expect(found('recovered', 20)).to.match(/│ +\d+ \/ 0\.1 s │/);
    expect(found('not recovered', null)).to.match(/│ +\d+ \/ never │/);
    expect(found('unknown', null)).to.match(/│ +\d+ \/ unknown │/);
    expect(found('none', null)).to.match(/│ +\d+ \/ – │/);
  });

  it('keeps the other try, and the number of expectations that were not judged', () => {
    const verdict = { word: 'inconclusive', reasons: ['The driver was late.'], expectations: [] } as const;
    const late = { text: 'latencyMs.p99 < 50', met: false, actual: '80', notJudged: 'the driver was late' };
    const counted = changed(redis, { verdict: { word: 'pass', reasons: [], expectations: [late] } });
    const cell = addOtherTry(matrixCell(counted), { which: 'firstTry', verdict });
    const { rows } = JSON.parse(matrixJson(matrixOf([cell]), [counted]));
    expect(rows[0].cells[0]).to.deep.include({
      word: 'pass',
      notJudged: 1,
      firstTry: { verdict: 'inconclusive', reasons: ['The driver was late.'] },
    });
  });

  it('renders JSON with a cell for each column, and the reasons of each run that did not pass', () => {
    const runs = [judged(sticky, 'pass', ['writes.lost > 0']), judged(redis, 'fail', ['writes.lost == 0'])];
    const { schema, modes, rows, problems } = JSON.parse(matrixJson(matrixOf(runs.map(matrixCell)), runs));
    expect({ schema, modes }).to.deep.equal({ schema: 1, modes: ['sticky', 'redis'] });
    expect(rows[0].cells.map(({ outcome }: { outcome: string }) => outcome)).to.deep.equal(['expected-loss', 'kept']);
    expect(problems).to.have.length(1);
    expect(problems[0]).to.include({ mode: 'redis', word: 'fail' });
  });
});
