import { expect } from 'chai';
import { joinOutputs, outputsOf, renderOutputs } from '#src/report/reporter.js';
import { reporters } from '#src/report/reporters/registry.js';
import type { JudgedRun, VerdictWord } from '#src/simulator/checker/verdict/verdict.js';
import { changed, sampleRun, sampleRuns } from '../sample-runs.js';

describe('the reporters for GitHub', () => {
  const expectations = [{ text: 'writes.lost == 0', met: false, actual: '3' }];
  const failed = (): JudgedRun => {
    const verdict = { word: 'fail', reasons: ['100 % lost: 3,\n4'], expectations } as const;
    return changed(sampleRun({ mode: 'redis', users: 3 }), { verdict });
  };

  it('annotate each run that did not pass with one line, and no other run', () => {
    const annotated = (runs: readonly JudgedRun[]) => reporters.annotations.report(runs, { colour: true });
    expect(annotated(sampleRuns())).to.equal('');
    const text = annotated([...sampleRuns(), failed()]);
    expect(text.match(/\n/g)).to.have.length(1);
    expect(text)
      .to.match(/^::error title=kill-one%2C redis #2%3A fail::redis: /)
      .and.contain('100 %25 lost: 3,%0A4');
  });

  it('annotate a warning even in a passed run, and write it below the table', () => {
    const unheeded = { text: 'requests.bad < 1 %', level: 'warn', met: false, actual: '3' } as const;
    const met = { ...unheeded, text: 'writes.stale == 0', met: true };
    const passed = { word: 'pass', reasons: [], expectations: [unheeded, met] } as const;
    const run = changed(sampleRun({ mode: 'redis', users: 3 }), { verdict: passed });
    expect(reporters.annotations.report([run], { colour: true })).to.equal(
      '::warning title=kill-one%2C redis%3A warning::Expected requests.bad < 1 %25; it was 3.\n',
    );
    expect(reporters.markdown.report([run], { colour: true })).to.match(/^- redis: warning: Expected requests.bad/m);
  });

  it('add a notice for an expectation that was not judged, and write it below the table', () => {
    const late = { text: 'requests.bad < 1 %', met: false, actual: '3', notJudged: 'the machine was busy' };
    const verdict = { word: 'pass', reasons: [], expectations: [late] } as const;
    const run = changed(sampleRun({ mode: 'redis', users: 3 }), { verdict });
    expect(reporters.annotations.report([run], { colour: true })).to.equal(
      '::notice title=kill-one%2C redis%3A not judged::not judged: requests.bad < 1 %25 (the machine was busy)\n',
    );
    expect(reporters.markdown.report([run], { colour: true })).to.match(/^- redis: not judged: requests.bad/m);
  });

  it('mark an expected loss in its cell', () => {
    const text = reporters.markdown.report(sampleRuns(), { colour: true });
    expect(text).to.match(/^\| users logged out \| 20 of 20 exposed &#40;60 users&#41;, as expected \| 0 of 20 /m);
  });

  it('write below the table why a run passed although it did not recover', () => {
    const findings = { recovery: 'not recovered', recoveryMs: null, recoveryProblem: '3.2 % errors' } as const;
    const text = reporters.markdown.report([changed(sampleRun({ mode: 'redis', users: 3 }), { findings })], {
      colour: true,
    });
    expect(text).to.match(/^- redis: not recovered: 3\.2 % errors; no expectation asks for it$/m);
  });

  it('escape texts so that they cannot break the table', () => {
    const verdict = { word: 'fail', reasons: ['a | b <img src=x> `c`'], expectations } as const;
    const text = reporters.markdown.report([...sampleRuns(), changed(failed(), { verdict })], { colour: true });
    const rows = text.split('\n').filter(line => line.startsWith('|'));
    expect(new Set(rows.map(row => row.split('|').length))).to.deep.equal(new Set([6]));
    expect(text).to.match(/^### kill-one, seed 42\n/);
    expect(text).not.to.contain('<img');
  });
});

describe('the outputs for a later step of a workflow', () => {
  const sticky = sampleRun({ mode: 'sticky' });
  const redis = sampleRun({ mode: 'redis' });
  const judged = (run: JudgedRun, word: VerdictWord) => ({ ...run, verdict: { ...run.verdict, word } });
  const linesOf = (text: string) => text.trimEnd().split('\n');

  it('are the worst verdict and the sums over all runs', () => {
    const { users, writes } = sticky.findings;
    expect(users.loggedOut).to.be.greaterThan(0);
    const runs = [judged(redis, 'inconclusive'), judged(sticky, 'fail'), judged(sticky, 'pass')];
    expect(linesOf(reporters.outputs.report(runs, { colour: false }))).to.deep.equal([
      'verdict=fail',
      `users-logged-out=${2 * users.loggedOut}`,
      `writes-lost=${2 * writes.lost}`,
    ]);
  });

  it('add up over scenarios, and a comparison that became worse is a fail', () => {
    const pass = judged(redis, 'pass');
    expect(renderOutputs(joinOutputs([outputsOf([pass]), outputsOf([pass])]))).to.match(/^verdict=pass\n/);
    expect(renderOutputs(joinOutputs([outputsOf([pass], 'fail'), outputsOf([pass])]))).to.match(/^verdict=fail\n/);
  });

  it('have no counts when nothing ran', () =>
    expect(linesOf(renderOutputs(outputsOf([], 'inconclusive')))).to.deep.equal([
      'verdict=inconclusive',
      'users-logged-out=',
      'writes-lost=',
    ]));
});
