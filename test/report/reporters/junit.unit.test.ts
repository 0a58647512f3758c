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
