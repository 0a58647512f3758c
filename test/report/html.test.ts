import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { reporters } from '#src/report/reporters/registry.js';
import { changed, counting, sampleRun, sampleRuns } from './sample-runs.js';

const report = (runs = sampleRuns()) => reporters.html.report(runs, { colour: false });
const hostile = `</script><img src=x onerror="document.title='taken'">\u2028<!--`;

describe('the html reporter', () => {
  it('says what happened, side by side, and with the true counts', () => {
    const [sticky] = sampleRuns();
    const text = report();
    expect(text).to.include(`sticky: ${sticky?.findings.users.loggedOut} of 60 users logged out`);
    expect(text).to.include('redis: 0 of 60 users logged out');
    expect(text).to.include(`${sticky?.findings.writes.lost} of`).and.include('300 of them drawn');
    expect(text).to.include('holdfast run scenarios/kill-one.yaml --mode sticky,redis --seed 42');
  });

  it('allows by its policy exactly the style and the script that stand in it', () => {
    const text = report();
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(text)?.[1] ?? '';
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? '';
    const script = /<script>([\s\S]*?)<\/script>/.exec(text)?.[1] ?? '';
    expect(policy).to.include('default-src &#39;none&#39;').and.not.include('unsafe');
    for (const inline of [style, script]) {
      expect(policy).to.include(createHash('sha256').update(inline).digest('base64'));
    }
    expect(text.match(/<script>/g)).to.have.length(1);
    expect(text).to.not.match(/ style=| on\w+=|https?:\/\//);
  });

  it('lets nothing hostile out of its place', () => {
    const sample = sampleRun({ mode: 'sticky', users: 6, rename: user => user + hostile });
    const { header, faults } = sample.run;
    const run = changed(sample, {
      run: {
        header: { ...header, scenario: hostile, why: hostile, mode: hostile, versions: { [hostile]: hostile } },
        faults: faults.map(fault => ({ ...fault, id: hostile, target: hostile, problem: hostile })),
        members: [{ type: 'member', member: hostile, atMs: 0, state: 'dead' }],
      },
      verdict: { word: 'fail', reasons: [hostile], expectations: [{ text: hostile, met: false, actual: hostile }] },
    });
    const text = report([run]);
    expect(text).to.not.include('<img').and.not.include('<!--');
    expect(text.match(/<\/script>/g)).to.have.length(2);
    const data = /class="readings">([\s\S]*?)<\/script>/.exec(text)?.[1] ?? '';
    expect(data).to.not.match(/[<>&\u2028\u2029]/);
    expect(JSON.parse(data)[30]).to.include(hostile);
  });

  it('stays small for 200,000 operations', function () {
    this.timeout(30_000);
    const run = sampleRun({ mode: 'sticky', users: 2000, thinkMs: 66 });
    expect(run.run.operations.length).to.be.greaterThan(200_000);
    const text = report([run]);
    expect(text.length).to.be.lessThan(250_000);
    expect(text).to.include(`${run.findings.writes.lost.toLocaleString('en-US')} of`);
  });

  it('says of an empty run that there was nothing to see, in every lane', () => {
    const sample = sampleRun({ mode: 'redis', users: 0 });
    const run = changed(sample, {
      run: { operations: [], faults: [] },
      verdict: { word: 'inconclusive', reasons: ['No write was acknowledged.'], expectations: [] },
    });
    const text = report([run]);
    for (const words of [
      'no write was acknowledged: there was nothing to lose',
      'no user was seen',
      'no request was sent',
      'no request ended ok',
      'no fault was injected',
      'No write was acknowledged.',
    ]) {
      expect(text).to.include(words);
    }
    expect(text).to.not.match(/NaN|Infinity|undefined/);
  });

  it('shows a warning as one, beside a verdict that it does not change', () => {
    const warned = { text: 'writes.lost == 0', level: 'warn', met: false, actual: '362' } as const;
    const verdict = { word: 'pass', reasons: [], expectations: [warned] } as const;
    const text = report([changed(sampleRun({ mode: 'redis', users: 3 }), { verdict })]);
    expect(text).to.include('<li>Warning: Expected writes.lost == 0; it was 362.</li>');
    expect(text).to.include('<td class="inconclusive">! warning</td>').and.not.include('✗');
  });

  it('marks an expectation that was not met, with what was measured', () => {
    const sample = sampleRun({ mode: 'redis', users: 3 });
    const expectations = [{ text: 'writes.lost == 0', met: false, actual: '17 lost' }];
    const text = report([changed(sample, { verdict: { word: 'fail', reasons: [], expectations } })]);
    expect(text).to.match(/✗ not met<\/td><td><code>writes\.lost == 0<\/code><\/td><td>17 lost/);
  });
});

describe('the html reporter: why no session', () => {
  it('shows the reasons that were met, by mode, and evictions', () => {
    const [sticky = sampleRun({ mode: 'sticky' }), redis = sampleRun({ mode: 'redis' })] = sampleRuns();
    const text = report([
      counting(sticky, { 'backend-1': { absent: 60, forged: 1000 }, 'backend-2': { forged: 118 } }),
      counting(redis, { 'backend-1': { absent: 61 }, memcached: { evictions: 7 } }),
    ]);
    const table = text.slice(text.indexOf('id="no-session"'));
    expect(table).to.match(/<b>absent<\/b>[^<]*<\/th><td>60<\/td><td>61<\/td>/);
    expect(table).to.match(/<b>forged<\/b>[^<]*<\/th><td>1,118<\/td><td>0<\/td>/);
    expect(table).to.match(/<b>evictions<\/b>[^<]*<\/th><td>–<\/td><td>7<\/td>/);
    expect(table).to.not.include('<b>revoked</b>');
  });

  it('is not there where no backend said', () => {
    expect(report()).to.not.include('Why no session');
  });
});
