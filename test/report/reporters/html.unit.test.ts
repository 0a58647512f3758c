import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { pageScript } from '#src/report/html/page.js';
import { reporters } from '#src/report/reporters/registry.js';
import type { FaultFinding } from '#src/simulator/checker/findings.js';
import type { FaultRecord, MemberRecord } from '#src/simulator/history/records.js';
import { changed, counting, sampleRun, sampleRuns } from '../sample-runs.js';

const report = (runs = sampleRuns()) => reporters.html.report(runs, { colour: false });
const hostile = `</script><img src=x onerror="document.title='taken'">\u2028<!--`;

describe('the html reporter', () => {
  it('shows the modes side by side with the true counts', () => {
    const [sticky] = sampleRuns();
    const text = report();
    expect(text).to.include(
      `sticky: ${sticky?.findings.users.loggedOut} of 20 exposed users logged out, as expected (60 in all)`,
    );
    expect(text).to.include('redis: 0 of 20 exposed users logged out (60 in all)');
    expect(text).to.include(`${sticky?.findings.writes.lost} of`).and.include('300 of them drawn');
    expect(text).to.include('node dist/cli.js run kill-one --mode sticky,redis --seed 42');
    expect(text).to.match(/<span aria-hidden="true">▼<\/span> lost, as expected<\/b>/);
    expect(text).to.match(/<p>\d+ of [\d,]+ acknowledged writes lost, as expected\.<\/p>/);
  });

  it('has eight parts, each with a heading', () => {
    const titles = [...report().matchAll(/<h2 id="[\w-]+">([^<]+)/g)].map(([, title]) => title);
    expect(titles).to.deep.equal([
      'What happened',
      'Side by side',
      'Timeline',
      'What was lost',
      'Before, during and after the faults',
      'Answers by member',
      'The lab itself',
      'How to repeat it',
    ]);
  });

  it('lists the first fifty lost writes and the number of the others', () => {
    const [, redis = sampleRun({ mode: 'redis' })] = sampleRuns();
    const text = report();
    const table = text.slice(text.indexOf('aria-label="Lost writes, sticky"'));
    const rows = table.slice(0, table.indexOf('</table>')).match(/<tr data-incident/g);
    expect(rows).to.have.length(50);
    expect(table).to.match(/<p class="meta">and \d+ more<\/p>/);
    const acknowledged = redis.findings.writes.acknowledged.toLocaleString('en-US');
    expect(text).to.include(`None of ${acknowledged} acknowledged writes was lost`);
  });

  it('shows the evidence of a fault, and the figures before, during and after it', () => {
    const sample = sampleRun({ mode: 'sticky', users: 3 });
    const faults = sample.run.faults.map(fault => ({ ...fault, evidence: 'WAIT 1 100 answered 0' }));
    const header = { ...sample.run.header, faults: ['kill', 'late'] };
    const lab = { ...sample.run.lab, neverStruck: { late: 'its moment never came' } };
    const text = report([changed(sample, { run: { faults, header, lab } })]);
    expect(text).to.include('<td>late</td><td colspan="5">never struck: its moment never came</td>');
    expect(text).to.match(
      /<td><b>kill<\/b><br>kill backend-2<\/td><td>requested 2\.500 s<br>.*<td>WAIT 1 100 answered 0<\/td>/,
    );
    for (const window of ['before', 'during', 'after']) expect(text).to.include(`<th scope="row">${window}</th>`);
  });

  it('shows for each fault its effect on users, the exposed users, and its recovery', () => {
    const sample = sampleRun({ mode: 'sticky', users: 3 });
    const row = (finding: Partial<FaultFinding>, record: Partial<FaultRecord> = {}) => {
      const faults = sample.run.faults.map(fault => ({ ...fault, ...record }));
      const found = sample.findings.faults.map(fault => ({ ...fault, exposed: 21, ...finding }));
      const text = report([changed(sample, { run: { faults }, findings: { faults: found } })]);
      return /<tbody><tr><td>sticky<\/td><td><b>kill<\/b>.*?<\/tr>/.exec(text)?.[0] ?? '';
    };
    const seen = { seen: 12, of: 40, text: 'it had answered 40 users' };
    const words = 'confirmed; this fault gives no evidence as text';
    expect(row({ effect: seen })).to.match(
      new RegExp(
        `<td>${words}</td><td><b class="pass">✓ seen</b>: it had answered 40 users</td><td>21</td><td>0\\.3 s</td>`,
      ),
    );
    expect(row({ effect: { ...seen, seen: 0 } })).to.include('<b class="inconclusive">? not seen</b>: it had');
    expect(row({ recovery: 'not recovered', recoveryMs: null })).to.match(/<td>not recovered<\/td><\/tr>$/);
    const never = row({ effect: null, recovery: 'none', recoveryMs: null }, { confirmedMs: null });
    expect(never).to.include('<td>nothing: it was never confirmed</td>').and.not.include('<td>–</td>');
  });

  it('does not say that a fault of the run was not tested', () => {
    const sample = sampleRun({ mode: 'sticky', users: 3 });
    const faults = sample.run.faults.map(one => ({ ...one, fault: 'loss' }));
    const all = 'no packet loss between machines, no delay between machines, no power cut, no wrong clock.';
    expect(report([sample])).to.include(`One machine: ${all}`);
    expect(report([changed(sample, { run: { faults } })])).to.include(
      'One machine: no delay between machines, no power',
    );
  });

  it('names every fault that may explain a loss, or says that none does', () => {
    const sample = sampleRun({ mode: 'sticky', users: 6 });
    const incidents = sample.findings.incidents.map((one, index) => ({
      ...one,
      candidates: index % 2 === 0 ? ['cut', 'kill', 'promote'] : [],
    }));
    const writes = { ...sample.findings.writes, unexplained: 7 };
    const text = report([changed(sample, { findings: { incidents, writes } })]);
    expect(text).to.include('<th scope="col">possible cause</th>');
    expect(text).to.include('<td><bdi>cut, kill, promote</bdi></td>').and.include('<td><bdi>unexplained</bdi></td>');
    expect(text).to.include(', possible cause: cut, kill, promote</title>').and.include(', unexplained</title>');
    expect(text).to.include('; no fault explains 7 of them.');
  });

  it('shows first which members did not come back, with their last lines, and the answers of each member', () => {
    const sample = sampleRun({ mode: 'redis', users: 3 });
    const why = 'exit code 1\nError: cannot read carts.json <truncated>';
    const faults = sample.run.faults.map(fault => ({ ...fault, notBack: [{ member: 'backend-2', why }] }));
    const members = {
      answered: { 'backend-1': 1120, 'backend-2': 40 },
      ejectedAtEnd: ['backend-1'],
      idleAfterHealing: [],
      notBack: ['backend-2', 'proxy-2'],
    };
    const text = report([changed(sample, { run: { faults }, findings: { members } })]);
    const first = text.slice(text.indexOf('id="verdicts"'), text.indexOf('id="matrix"'));
    expect(first).to.include('<b>✗ backend-2 did not come back</b> after the fault kill.');
    expect(first).to.include('exit code 1\nError: cannot read carts.json &lt;truncated&gt;');
    expect(first).to.include('<b>✗ proxy-2 did not come back.</b>');
    expect(text).to.match(
      /<th scope="row">backend-1<\/th><td>1,120<br><b class="inconclusive">still ejected at the end/,
    );
    expect(text).to.match(/<th scope="row">proxy-2<\/th><td>–<br><b class="fail">did not come back/);
  });

  it('says that an expectation was not judged and why', () => {
    const late = { text: 'requests.failed < 2 %', met: false, actual: '3 %', notJudged: 'the machine was busy' };
    const verdict = { word: 'pass', reasons: [], expectations: [late] } as const;
    const text = report([changed(sampleRun({ mode: 'redis', users: 3 }), { verdict })]);
    expect(text).to.include('<li>Not judged: requests.failed &lt; 2 % (the machine was busy).</li>');
    expect(text)
      .to.include('<td class="inconclusive">? not judged</td>')
      .and.not.match(/✗ not met|✓ met/);
    expect(text).to.include('0 of 1 expectation met, 1 not judged</summary>');
  });

  it('shows a dash for a percentile without a value, and says what no later read verified', () => {
    const sample = sampleRun({ mode: 'redis', users: 3 });
    const none = { p50: null, p90: null, p99: null, max: null };
    const writes = { ...sample.findings.writes, unverified: 5 };
    const text = report([changed(sample, { findings: { latencyMs: none, serviceMs: none, writes } })]);
    expect(text.replace(pageScript, ''))
      .to.include('<td>– / –</td>'.replaceAll(' /', '\u00a0/'))
      .and.not.match(/NaN|null ms/);
    expect(text).to.include('But no later read verified 5 of them.');
  });

  it('has a policy that allows exactly its own style and script', () => {
    const text = report();
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(text)?.[1] ?? '';
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? '';
    const script = /<script>([\s\S]*?)<\/script>/.exec(text)?.[1] ?? '';
    expect(policy).to.include('default-src &#39;none&#39;').and.not.include('unsafe');
    for (const inline of [style, script]) {
      expect(policy).to.include(createHash('sha256').update(inline).digest('base64'));
    }
    expect(text.match(/<script>/g)).to.have.length(1);
    const own = text.replace(script, '').replace(style, '');
    expect(own).to.not.match(/ style=| on\w+=|https?:\/\//);
  });

  it('escapes hostile texts', () => {
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
    expect(text.match(/<\/script>/g)).to.have.length(3);
    for (const id of ['timeline-data', 'cases-0']) {
      const data = new RegExp(`id="${id}">([^]*?)</script>`).exec(text)?.[1] ?? '';
      expect(data).to.not.match(/[<>&\u2028\u2029]/);
      expect(JSON.stringify(JSON.parse(data))).to.include(JSON.stringify(hostile).slice(1, -1));
    }
  });

  it('says in every lane of an empty run that it is empty', () => {
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
      'No request was sent.',
      'No request ended ok',
      'no fault was injected',
      'No fault was injected.',
      'No write was acknowledged.',
    ]) {
      expect(text).to.include(words);
    }
    expect(text.replace(pageScript, '')).to.not.match(/NaN|Infinity|undefined/);
  });

  it('shows a warning, which does not change the verdict', () => {
    const warned = { text: 'writes.lost == 0', level: 'warn', met: false, actual: '362' } as const;
    const verdict = { word: 'pass', reasons: [], expectations: [warned] } as const;
    const text = report([changed(sampleRun({ mode: 'redis', users: 3 }), { verdict })]);
    expect(text).to.include('<li>Warning: Expected writes.lost == 0; it was 362.</li>');
    expect(text).to.include('<td class="inconclusive">! warning</td>').and.not.include('✗ not met');
  });

  it('writes in words when a process is not up, and its role', () => {
    const sample = sampleRun({ mode: 'redis', users: 3 });
    const member = (name: string, atMs: number, rest: Pick<MemberRecord, 'state' | 'role'>): MemberRecord => ({
      type: 'member',
      member: name,
      atMs,
      ...rest,
    });
    const members = [
      member('redis.replica-1', 0, { state: 'up', role: 'replica' }),
      member('redis.replica-1', 3000, { state: 'up', role: 'primary' }),
      member('backend-1', 0, { state: 'up' }),
      member('backend-1', 2500, { state: 'ejected' }),
    ];
    const text = report([changed(sample, { run: { members } })]);
    expect(text).to.include('redis.replica-1 up, replica from 0.000 s to 3.000 s').and.include('>primary</text>');
    expect(text).to.include('<rect class="ejected"').and.include('>ejected</text>');
  });

  it('marks an unmet expectation with its measured value', () => {
    const sample = sampleRun({ mode: 'redis', users: 3 });
    const expectations = [{ text: 'writes.lost == 0', met: false, actual: '17 lost' }];
    const text = report([changed(sample, { verdict: { word: 'fail', reasons: [], expectations } })]);
    expect(text).to.match(/✗ not met<\/td><td><code>writes\.lost == 0<\/code><\/td><td>17 lost/);
  });
});

describe('the html reporter: why no session', () => {
  it('shows the reasons that occurred, by mode, and evictions', () => {
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
    expect(table).to.not.include('<b>cut off</b>');
  });

  it('shows how many requests were served with an old list of ended sessions', () => {
    const [sticky = sampleRun({ mode: 'sticky' }), redis = sampleRun({ mode: 'redis' })] = sampleRuns();
    const text = report([
      counting(sticky, { 'backend-1': { absent: 60 } }),
      counting(redis, { 'backend-1': { absent: 61, cutOff: 1204 } }),
    ]);
    expect(text).to.match(/<b>cut off<\/b>[^<]*<\/th><td>0<\/td><td>1,204<\/td>/);
  });

  it('is missing when no backend counted reasons', () => {
    expect(report()).to.not.include('Why no session');
  });
});
