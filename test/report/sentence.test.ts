import { expect } from 'chai';
import { sentence } from '#src/report/sentence.js';
import { count, counted, duration, seconds } from '#src/report/words.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import type { JudgedRun } from '#src/simulator/checker/verdict.js';
import type { FaultRecord } from '#src/simulator/history/records.js';
import { changed, counting, sampleRun } from './sample-runs.js';

const sample = sampleRun({ mode: 'redis', users: 3 });

describe('the sentence on a mode', () => {
  it('says who was logged out, what was lost, what failed, and when it recovered', () => {
    const run = saying({
      users: { total: 60, loggedOut: 0 },
      writes: { acknowledged: 1211, lost: 0 },
      requests: { failed: 4, unknown: 0 },
    });
    expect(sentence(run)).to.equal(
      'redis: 0 of 60 users logged out, 0 of 1,211 acknowledged writes lost, 4 requests failed, recovered after 0.3 s — pass',
    );
  });

  it('counts one as one', () => {
    const run = saying({
      users: { total: 1, loggedOut: 1 },
      writes: { acknowledged: 1, lost: 1, duplicated: 1 },
      requests: { failed: 1, unknown: 1 },
    });
    expect(sentence(run)).to.match(
      /^redis: 1 of 1 user logged out, 1 of 1 acknowledged write lost, 1 request failed, 1 with unknown outcome, 1 write duplicated,/,
    );
  });

  it('never lets a run in which nothing was observed look like one in which nothing went wrong', () => {
    const nothing = saying({
      users: { total: 0, loggedOut: 0 },
      writes: { acknowledged: 0, lost: 0 },
      requests: { ok: 0, failed: 0, unknown: 0 },
    });
    const text = sentence(nothing);
    expect(text).to.include('no user was seen, no write was acknowledged, no request was sent');
    expect(text).to.not.match(/\b0 (of|requests)|recovered/);
  });

  it('names each thing that must not happen only when it happened', () => {
    const names = /somebody|not honoured|duplicated|shown again|visible|missing|never read/;
    expect(sentence(sample)).to.not.match(names);
    const bad = saying({
      users: { identitySwapped: 2, logoutNotHonoured: 1 },
      writes: { resurrected: 3, unverified: 5 },
    });
    const text = sentence(bad);
    for (const words of [
      '2 users taken for somebody else',
      '1 logout not honoured',
      '3 removed items shown again',
      '5 writes never read back',
    ]) {
      expect(text).to.include(words);
    }
  });

  const fault = sample.run.faults[0];
  const unconfirmed: FaultRecord[] = fault === undefined ? [] : [{ ...fault, confirmedMs: null }];
  const recoveries: [string, JudgedRun][] = [
    ['recovered after 4.2 s', changed(sample, { findings: { recoveryMs: 4210 } })],
    ['recovered within 0.1 s', changed(sample, { findings: { recoveryMs: 0 } })],
    ['not recovered', changed(sample, { findings: { recoveryMs: null, recovery: 'not recovered' } })],
    ['recovery unknown', changed(sample, { findings: { recoveryMs: null, recovery: 'unknown' } })],
    ['no fault injected', changed(sample, { run: { faults: [] } })],
    ['no fault confirmed', changed(sample, { run: { faults: unconfirmed } })],
  ];
  for (const [words, run] of recoveries) {
    it(`says "${words}"`, () => expect(sentence(run)).to.match(new RegExp(`, ${words} — pass$`)));
  }
});

describe('numbers in words', () => {
  it('groups thousands, agrees with its noun and gives units', () => {
    expect([count(1211), counted(1, 'user'), counted(0, 'user'), counted(1000, 'write')]).to.deep.equal([
      '1,211',
      '1 user',
      '0 users',
      '1,000 writes',
    ]);
    expect([3.14, 0, 80.5, 999.9, 1000, Number.NaN].map(duration)).to.deep.equal([
      '3.1 ms',
      '0 ms',
      '81 ms',
      '1.0 s',
      '1.0 s',
      '–',
    ]);
    expect(seconds(312)).to.equal('0.3 s');
  });
});

type Changes = {
  readonly users?: Partial<Findings['users']>;
  readonly writes?: Partial<Findings['writes']>;
  readonly requests?: Partial<Findings['requests']>;
};

function saying({ users, writes, requests }: Changes): JudgedRun {
  const { findings } = sample;
  return changed(sample, {
    findings: {
      users: { ...findings.users, ...users },
      writes: { ...findings.writes, unknown: 0, ...writes },
      requests: { ...findings.requests, failed: 0, unknown: 0, ...requests },
    },
  });
}

describe('the sentence, where the backends say why', () => {
  const sticky = sampleRun({ mode: 'sticky' });
  const redis = sampleRun({ mode: 'redis' });
  const told = (...counted: Parameters<typeof counting>) => sentence(counting(...counted));

  it('adds up what every backend refused, the most frequent first', () => {
    const counts = { 'backend-1': { absent: 60, unknown: 4, opened: 900 }, 'backend-2': { forged: 1118, unknown: 1 } };
    expect(told(sticky, counts)).to.include(' logged out (why no session: 1,118 forged, 5 unknown), ');
  });

  it('says nothing where nobody was logged out, nor where nothing was refused', () => {
    expect(told(redis, { 'backend-1': { unknown: 4 } })).to.include(' logged out, ');
    expect(told(sticky, { 'backend-1': { absent: 4 } })).to.include(' logged out, ');
    expect(told(sticky, {})).to.include(' logged out, ');
  });

  it('tells evictions wherever there were any', () => {
    expect(told(redis, { memcached: { evictions: 1203 } })).to.include(' logged out (1,203 evictions), ');
    expect(told(redis, { memcached: { evictions: 0 } })).to.include(' logged out, ');
  });
});
