import { expect } from 'chai';
import { count } from '#src/report/numbers.js';
import { describeRun, repeatsText } from '#src/report/sentence.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import { summarizeRepeats } from '#src/simulator/checker/verdict/repeats.js';
import type { JudgedRun } from '#src/simulator/checker/verdict/verdict.js';
import type { FaultRecord } from '#src/simulator/history/records.js';
import { changed, counting, sampleRun } from './sample-runs.js';

const sample = sampleRun({ mode: 'redis', users: 3 });

describe('the sentence on a mode', () => {
  it('says how many users were logged out, what was lost, what failed, and when it recovered', () => {
    const run = saying({
      users: { total: 64, exposed: 21, loggedOut: 0 },
      writes: { acknowledged: 1211, lost: 0 },
      requests: { failed: 4, unknown: 0 },
    });
    expect(describeRun(run)).to.equal(
      'redis: 0 of 21 exposed users logged out (64 in all), 0 of 1,211 acknowledged writes lost, 4 requests failed, recovered after 0.3 s — pass',
    );
  });

  const logouts: [string, Partial<Findings['users']>, string][] = [
    ['the exposed users', { loggedOut: 19 }, '19 of 21 exposed users logged out (64 in all), '],
    [
      'users whom no fault exposed',
      { loggedOut: 21, loggedOutUnexposed: 2 },
      '19 of 21 exposed users and 2 others logged out (64 in all), ',
    ],
    ['a fault that exposed no user', { exposed: 0, loggedOut: 0 }, '0 of 0 exposed users logged out (64 in all), '],
    ['a run without a fault', { exposed: null, loggedOut: 1 }, '1 of 64 users logged out, '],
  ];
  for (const [of, users, words] of logouts) {
    it(`counts the logouts of ${of}`, () => {
      expect(describeRun(saying({ users: { total: 64, exposed: 21, ...users } }))).to.include(`redis: ${words}`);
    });
  }

  it('calls a loss expected only when the scenario demands it and the run passes', () => {
    const sticky = sampleRun({ mode: 'sticky' });
    const { lost, acknowledged } = sticky.findings.writes;
    const expected = `20 of 20 exposed users logged out, as expected (60 in all), ${count(lost)} of ${count(acknowledged)} acknowledged writes lost, as expected, `;
    expect(describeRun(sticky)).to.include(expected);
    const failed = changed(sticky, { verdict: { word: 'fail' } });
    expect(describeRun(failed))
      .to.include('20 of 20 exposed users logged out (60 in all), ')
      .and.not.include('expected');
    expect(describeRun(sampleRun({ mode: 'redis' }))).to.not.include('as expected');
  });

  it('says how many losses no fault explains', () => {
    const run = saying({ writes: { acknowledged: 1204, lost: 402, unexplained: 3 } });
    expect(describeRun(run)).to.include('402 of 1,204 acknowledged writes lost (3 unexplained), ');
  });

  it('says which versions answered, and how many users saw two of them', () => {
    const answers = { versions: { A: 1_200, B: 340 } };
    const run = saying({ ...answers, users: { sawBothVersions: 52, wentBack: 0 } });
    expect(describeRun(run)).to.include(', 52 users saw two versions (answers: A 1,200, B 340), ');
    const back = saying({ ...answers, users: { sawBothVersions: 52, wentBack: 3 } });
    expect(describeRun(back)).to.include('52 users saw two versions and 3 an old one again (answers');
    expect(describeRun(saying({ versions: { A: 1_200 } }))).to.not.include('version');
  });

  it('says beside the share that a hash moves how many users moved', () => {
    const run = saying({ hashMoves: { added: 1, all: 2 }, users: { present: 50, moved: 24 } });
    expect(describeRun(run)).to.include(
      ', 24 of 50 users (48 %) moved, expected when only its own keys move: 1 of 2 backends is new = 50 %, ',
    );
    const nobody = saying({ hashMoves: { added: 2, all: 8 }, users: { present: 0, moved: 0 } });
    expect(describeRun(nobody)).to.include(
      ', no user moved, expected when only their own keys move: 2 of 8 backends are new = 25 %, ',
    );
  });

  it('uses the singular for one', () => {
    const run = saying({
      users: { total: 1, exposed: 1, loggedOut: 1 },
      writes: { acknowledged: 1, lost: 1, duplicated: 1 },
      requests: { failed: 1, unknown: 1 },
    });
    expect(describeRun(run)).to.match(
      /^redis: 1 of 1 exposed user logged out \(1 in all\), 1 of 1 acknowledged write lost, 1 request failed, 1 with unknown outcome, 1 write duplicated,/,
    );
  });

  it('distinguishes a run in which nothing was observed from one in which nothing went wrong', () => {
    const nothing = saying({
      users: { total: 0, loggedOut: 0 },
      writes: { acknowledged: 0, lost: 0 },
      requests: { ok: 0, failed: 0, unknown: 0 },
    });
    const text = describeRun(nothing);
    expect(text).to.include('no user was seen, no write was acknowledged, no request was sent');
    expect(text).to.not.match(/\b0 (of|requests)|recovered/);
  });

  it('names each forbidden event only when it happened', () => {
    const names =
      /another user|still logged in|duplicated|shown again|visible|missing|not verified|come back|ejected|idle/;
    expect(describeRun(sample)).to.not.match(names);
    const bad = saying({
      users: { identitySwapped: 2, logoutNotHonoured: 1, unverified: 1 },
      writes: { resurrected: 3, unverified: 5 },
      members: { notBack: ['backend-2'], ejectedAtEnd: ['backend-1', 'backend-3'], idleAfterHealing: ['proxy-2'] },
    });
    const text = describeRun(bad);
    for (const words of [
      '2 users identified as another user',
      '1 user still logged in after the logout',
      '3 removed items shown again',
      '1 user not verified by a later read',
      '5 writes not verified by a later read',
      'backend-2 did not come back',
      'backend-1, backend-3 still ejected at the end',
      'proxy-2 idle after the healing',
    ]) {
      expect(text).to.include(words);
    }
  });

  it('uses the label of its caller when a mode ran more than once', () =>
    expect(describeRun(sample, 'sticky #2')).to.match(/^sticky #2: /));

  it('counts expectations that were not judged, and not as warnings', () => {
    const late = { level: 'warn', met: false, actual: '3', notJudged: 'the machine was busy' } as const;
    const expectations = [{ text: 'requests.failed < 2 %', ...late }];
    const text = describeRun(changed(sample, { verdict: { expectations } }));
    expect(text)
      .to.match(/, 1 expectation not judged — pass$/)
      .and.not.include('warning');
  });
});

describe('the sentence on a recovery', () => {
  const [fault] = sample.run.faults;
  if (fault === undefined) throw new Error('the sample has a fault');
  const faults = (parts: Partial<FaultRecord>) => ({ run: { faults: [{ ...fault, ...parts }] } });
  const unrecovered = { recoveryMs: null, recovery: 'not recovered' } as const;
  const problem = { ...unrecovered, recoveryProblem: '3.2 % errors against 0.4 % in the baseline' };
  const unknown = { recoveryMs: null, recovery: 'unknown' } as const;
  const asking = (parts: object) => ({
    expectations: [{ text: 'recoveryMs < 2000', met: false, actual: 'not recovered', ...parts }],
  });
  const recoveries: [string, JudgedRun][] = [
    ['recovered after 4.2 s', changed(sample, { findings: { recoveryMs: 4210 } })],
    ['recovered within 0.1 s', changed(sample, { findings: { recoveryMs: 0 } })],
    ['not recovered; no expectation asks for it', changed(sample, { findings: unrecovered })],
    [
      'not recovered: 3.2 % errors against 0.4 % in the baseline; no expectation asks for it',
      changed(sample, { findings: problem }),
    ],
    [
      'not recovered; only a warning asks for it, 1 warning',
      changed(sample, { findings: unrecovered, verdict: asking({ level: 'warn' }) }),
    ],
    [
      'not recovered; it was not judged, 1 expectation not judged',
      changed(sample, { findings: unrecovered, verdict: asking({ notJudged: 'the machine was busy' }) }),
    ],
    [
      'recovery unknown: less than 2 s of load after the healing',
      changed(sample, { findings: unknown, ...faults({ healedMs: 5500 }) }),
    ],
    ['recovery unknown: a fault was not healed', changed(sample, { findings: unknown, ...faults({ healedMs: null }) })],
    ['recovery unknown: too few requests succeeded before the faults', changed(sample, { findings: unknown })],
    ['no fault injected', changed(sample, { run: { faults: [] } })],
    ['no fault confirmed', changed(sample, faults({ confirmedMs: null }))],
  ];
  for (const [words, run] of recoveries) {
    it(`says "${words}"`, () => expect(describeRun(run)).to.match(new RegExp(`, ${words} — pass$`)));
  }

  it('says why a failed run did not recover, and not which expectation asks for it', () => {
    const run = changed(sample, { findings: problem, verdict: { word: 'fail' } });
    expect(describeRun(run)).to.match(/, not recovered: 3\.2 % errors against 0\.4 % in the baseline — fail$/);
  });
});

type Changes = Pick<Partial<Findings>, 'versions' | 'hashMoves'> & {
  readonly users?: Partial<Findings['users']>;
  readonly writes?: Partial<Findings['writes']>;
  readonly requests?: Partial<Findings['requests']>;
  readonly members?: Partial<Findings['members']>;
};

function saying({ users, writes, requests, members, ...others }: Changes): JudgedRun {
  const { findings } = sample;
  return changed(sample, {
    findings: {
      users: { ...findings.users, ...users },
      writes: { ...findings.writes, unknown: 0, ...writes },
      requests: { ...findings.requests, failed: 0, unknown: 0, ...requests },
      members: { ...findings.members, ...members },
      ...others,
    },
  });
}

describe('the sentence, when backends count reasons', () => {
  const sticky = sampleRun({ mode: 'sticky' });
  const redis = sampleRun({ mode: 'redis' });
  const told = (...counted: Parameters<typeof counting>) => describeRun(counting(...counted));

  it('adds up the refusals of all backends, the most frequent first', () => {
    const counts = { 'backend-1': { absent: 60, unknown: 4, opened: 900 }, 'backend-2': { forged: 1118, unknown: 1 } };
    expect(told(sticky, counts)).to.include(
      ' logged out, as expected (60 in all; tokens refused: 1,118 forged, 5 unknown), ',
    );
  });

  it('gives no reason when no user was logged out or no token was refused', () => {
    expect(told(redis, { 'backend-1': { unknown: 4 } })).to.include(' logged out (60 in all), ');
    expect(told(sticky, { 'backend-1': { absent: 4 } })).to.include(' logged out, as expected (60 in all), ');
    expect(told(sticky, {})).to.include(' logged out, as expected (60 in all), ');
  });

  it('reports evictions if there were any', () => {
    expect(told(redis, { memcached: { evictions: 1203 } })).to.include(' logged out (60 in all; 1,203 evictions), ');
    expect(told(redis, { memcached: { evictions: 0 } })).to.include(' logged out (60 in all), ');
  });
});

describe('the summary of repeats, for a terminal', () => {
  const runs = Array.from({ length: 20 }, () => sampleRun({ mode: 'redis', users: 3 }));
  const text = repeatsText(summarizeRepeats(runs), { colour: false });

  it('says how many runs passed and in how many something was lost, with an interval', () => {
    expect(text).to.match(/^redis, 20 runs: 20 pass\n0 of 20 runs lost anything: below 16 % \(95 %\)\n/);
  });

  it('says in how many runs every expectation held, with an interval', () => {
    expect(text).to.match(/│ writes\.lost == 0 +│ 20 of 20 │ +above 84 % \(95 %\) │/);
  });

  it('gives the spread of each main figure, with units for times', () => {
    expect(text).to.match(/│ writes\.lost +│ +20 │ +0 │ +0 │ +0 │/);
    expect(text).to.match(/│ recoveryMs +│ +20 │ +312 ms │ +312 ms │ +312 ms │/);
  });

  it('shows a dash when no run has a value, and fits the terminal', () => {
    const none = runs.slice(0, 2).map(run => changed(run, { findings: { recoveryMs: null } }));
    const narrow = repeatsText(summarizeRepeats(none), { colour: false, columns: 60 });
    expect(narrow).to.match(/│ recoveryMs +│ +0 │ +– │/);
    for (const line of narrow.split('\n').filter(line => line.startsWith('│'))) expect(line.length).to.be.at.most(60);
  });
});
