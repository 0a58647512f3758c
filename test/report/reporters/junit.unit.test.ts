import { expect } from 'chai';
import { reporters } from '#src/report/reporters/registry.js';
import type { JudgedRun } from '#src/simulator/checker/verdict/verdict.js';
import { changed, sampleRun, sampleRuns } from '../sample-runs.js';

const report = (runs: readonly JudgedRun[]) => reporters.junit.report(runs, { colour: true });

const expectations = [
  { text: 'writes.lost == 0', met: false, actual: '3' },
  { text: 'users.loggedOut < 70 %', met: true, actual: '21 of 64' },
];

/** Checks that the document is well-formed: each end tag closes the last open start tag. */
function tagsOf(xml: string): string[] {
  const open: string[] = [];
  const seen: string[] = [];
  for (const [, slash, name = '', rest = ''] of xml.matchAll(/<(\/?)([a-z-]+)((?:\s+[a-z]+="[^"<]*")*\/?)>/g)) {
    if (slash === '/') expect(open.pop()).to.equal(name);
    else if (!rest.endsWith('/')) open.push(name);
    if (slash !== '/') seen.push(name);
  }
  expect(open).to.deep.equal([]);
  return seen;
}

describe('the junit reporter', () => {
  it('has a suite for each mode and a case for each expectation', () => {
    const runs = sampleRuns();
    const xml = report(runs);
    const cases = runs.flatMap(({ verdict }) => verdict.expectations).length;
    expect(tagsOf(xml).filter(tag => tag === 'testsuite')).to.have.length(2);
    expect(tagsOf(xml).filter(tag => tag === 'testcase')).to.have.length(cases);
    expect(xml).to.match(
      /<testsuite name="kill-one sticky" tests="\d+" failures="0" errors="0" skipped="0" time="7\.500"/,
    );
  });

  it('reports an unmet expectation as a failure with the measured value', () => {
    const verdict = { word: 'fail', reasons: ['Expected writes.lost == 0; it was 3.'], expectations } as const;
    const xml = report([changed(sampleRun({ mode: 'redis', users: 3 }), { verdict })]);
    expect(tagsOf(xml).filter(tag => tag === 'failure')).to.have.length(2);
    expect(xml)
      .to.contain('tests="3" failures="2" errors="0" skipped="0"')
      .and.contain('<failure message="it was 3"/>');
  });

  it('reports an inconclusive run as an error and skips its expectations', () => {
    const verdict = { word: 'inconclusive', reasons: ['The driver itself was late.'], expectations } as const;
    const xml = report([changed(sampleRun({ mode: 'redis', users: 3 }), { verdict })]);
    expect(tagsOf(xml).filter(tag => tag === 'error' || tag === 'skipped')).to.deep.equal([
      'error',
      'skipped',
      'skipped',
    ]);
    expect(xml)
      .to.contain('<error message="The driver itself was late."/>')
      .and.contain('failures="0" errors="1" skipped="2"');
  });

  it('skips an expectation that was not judged, with the reason, in a run that passed', () => {
    const late = { met: false, actual: '3', notJudged: 'the machine was busy' };
    const all = [
      { text: 'requests.failed < 2 %', ...late },
      { text: 'writes.lost == 0', met: true, actual: '0' },
    ];
    const verdict = { word: 'pass', reasons: [], expectations: all } as const;
    const xml = report([changed(sampleRun({ mode: 'redis', users: 3 }), { verdict })]);
    expect(tagsOf(xml)).to.deep.equal(['testsuites', 'testsuite', 'testcase', 'skipped', 'testcase']);
    expect(xml)
      .to.contain('<skipped message="not judged: the machine was busy"/>')
      .and.contain('tests="2" failures="0" errors="0" skipped="1"');
  });

  it('skips a mode in which a fault has no target, and says why', () => {
    const notApplicable = [
      { mode: 'sticky', fault: 'outage', target: 'redis', why: 'mode sticky uses no redis' },
    ] as const;
    const run = sampleRun({ mode: 'redis', users: 3 });
    const xml = reporters.junit.report([run], { colour: false, notApplicable });
    expect(tagsOf(xml).filter(tag => tag === 'testsuite')).to.have.length(2);
    expect(xml)
      .to.contain('<testsuite name="kill-one sticky" tests="1" failures="0" errors="0" skipped="1">')
      .and.contain('<skipped message="mode sticky uses no redis (fault outage strikes redis)"/>');
  });

  it('reports a warning with the measured value, not as a failure', () => {
    const warned = [{ text: 'writes.stale == 0', level: 'warn', met: false, actual: '<3>' }] as const;
    const verdict = { word: 'pass', reasons: [], expectations: [...warned] } as const;
    const xml = report([changed(sampleRun({ mode: 'redis', users: 3 }), { verdict })]);
    expect(tagsOf(xml)).to.deep.equal(['testsuites', 'testsuite', 'testcase', 'system-out']);
    expect(xml)
      .to.contain('name="warn: writes.stale == 0"')
      .and.contain('<system-out>warning: it was &#60;3&#62;</system-out>')
      .and.contain('tests="1" failures="0" errors="0" skipped="0"');
  });

  it('is well-formed for every text', () => {
    const text = 'a < b & "c" \'d\' ]]> \n\u0000\u001b\ud800';
    const verdict = { word: 'fail', reasons: [text], expectations: [{ text, met: false, actual: text }] } as const;
    const xml = report([changed(sampleRun({ mode: 'redis', users: 3 }), { verdict })]);
    expect(tagsOf(xml)).to.deep.equal(['testsuites', 'testsuite', 'testcase', 'failure', 'testcase', 'failure']);
    expect(xml).to.contain('a &#60; b &#38; &#34;c&#34;').and.contain('&#10;');
    expect(xml).not.to.match(/\p{Surrogate}/u);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the output must not contain them
    expect(xml).not.to.match(/[\u0000-\u0008\u000b-\u001f]/);
  });
});

describe('the reporters for GitHub', () => {
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
