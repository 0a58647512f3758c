import { expect } from 'chai';
import { reporters } from '#src/report/reporters/registry.js';
import { summarizeRepeats } from '#src/simulator/checker/verdict/repeats.js';
import { changed, sampleRun, sampleRuns } from '../sample-runs.js';

/** Schema 1 as documented: the type of each field. Fields may be added, never renamed or removed. */
const schema1 = {
  schema: 'number',
  scenario: 'string',
  seed: 'number',
  runs: [
    {
      mode: 'string',
      verdict: 'string',
      users: {
        total: 'number',
        loggedOut: 'number',
        identitySwapped: 'number',
        exposed: 'number',
        unverified: 'number',
      },
      writes: {
        acknowledged: 'number',
        lost: 'number',
        unknown: 'number',
        unverified: 'number',
        duplicated: 'number',
        phantom: 'number',
        resurrected: 'number',
        stale: 'number',
      },
      requests: {
        planned: 'number',
        ok: 'number',
        failed: 'number',
        unknown: 'number',
        dropped: 'number',
        bad: 'number',
      },
      latencyMs: { p50: 'number', p90: 'number', p99: 'number', max: 'number' },
      recoveryMs: 'number',
      recovery: 'string',
      faults: [
        {
          id: 'string',
          fault: 'string',
          target: 'string',
          requestedMs: 'number',
          confirmedMs: 'number',
          healedMs: 'number',
          effect: { seen: 'number', of: 'number', text: 'string' },
          exposed: 'number',
          recoveryMs: 'number',
          recovery: 'string',
        },
      ],
      members: {
        'backend-1': { answered: 'number' },
        ejectedAtEnd: 'number',
        idleAfterHealing: 'number',
        notBack: 'number',
      },
      expectations: [{ text: 'string', met: 'boolean' }],
    },
  ],
} as const;

const report = (runs = sampleRuns()) => reporters.json.report(runs, { colour: true });

describe('the json reporter', () => {
  it('has every field of schema 1 with its type', () => {
    const whole: unknown = JSON.parse(report());
    expect(departures(whole, schema1, '$')).to.deep.equal([]);
  });

  it('marks an expectation that is a warning', () => {
    const warned = { text: 'writes.stale == 0', level: 'warn', met: false, actual: '3' } as const;
    const run = changed(sampleRun({ mode: 'redis', users: 3 }), {
      verdict: { word: 'pass', reasons: [], expectations: [warned] },
    });
    expect(JSON.parse(report([run])).runs[0].expectations).to.deep.equal([warned]);
  });

  it('detects a field that is missing or has another type', () => {
    const whole = JSON.parse(report());
    whole.runs[1].writes.lost = '0';
    delete whole.runs[0].users;
    expect(departures(whole, schema1, '$')).to.deep.equal([
      '$.runs[0].users is no object',
      '$.runs[1].writes.lost is string, expected number',
    ]);
  });

  it('contains the numbers of the findings, and the runs in their order', () => {
    const runs = sampleRuns();
    const whole = JSON.parse(report(runs));
    expect(whole).to.include({ schema: 1, scenario: 'kill-one', seed: 42 });
    expect(whole.runs.map((run: { mode: string }) => run.mode)).to.deep.equal(['sticky', 'redis']);
    for (const [index, { findings }] of runs.entries()) {
      expect(whole.runs[index].users).to.deep.equal(findings.users);
      expect(whole.runs[index].writes).to.deep.equal(findings.writes);
      expect(whole.runs[index].requests).to.deep.equal(findings.requests);
      expect(whole.runs[index].incidents).to.have.length(findings.incidents.length);
    }
  });

  it('writes null for a missing recovery, confirmation or healing', () => {
    const sample = sampleRun({ mode: 'sticky', users: 3 });
    const faults = sample.run.faults.map(fault => ({ ...fault, confirmedMs: null, healedMs: null, problem: 'gone' }));
    const run = changed(sample, { findings: { recoveryMs: null, recovery: 'not recovered' }, run: { faults } });
    const [only] = JSON.parse(report([run])).runs;
    expect(only).to.include({ recoveryMs: null, recovery: 'not recovered', recovered: false });
    expect(only.faults[0]).to.include({ confirmedMs: null, healedMs: null, problem: 'gone' });
  });

  it('contains the intervals of repeats, the modes that do not apply, and the other try of a run', () => {
    const runs = [sampleRun({ mode: 'redis', users: 3 }), sampleRun({ mode: 'redis', users: 3, seed: 7 })] as const;
    const notApplicable = [
      { mode: 'sticky', fault: 'outage', target: 'redis', why: 'mode sticky uses no redis' },
    ] as const;
    const late = { word: 'inconclusive', reasons: ['The driver was late.'], expectations: [] } as const;
    const otherTries = new Map([[runs[1], { which: 'firstTry', verdict: late }]] as const);
    const intervals = summarizeRepeats(runs);
    const whole = JSON.parse(reporters.json.report(runs, { colour: false, notApplicable, intervals, otherTries }));
    expect(whole.notApplicable).to.deep.equal(notApplicable);
    expect(whole.intervals[0]).to.deep.include({ mode: 'redis', runs: 2 });
    expect(whole.intervals[0].lost).to.deep.equal({ times: 0, of: 2, low: 0, high: 0.658 });
    expect(whole.runs[0]).not.to.have.property('firstTry');
    expect(whole.runs[1].firstTry).to.deep.equal({ verdict: 'inconclusive', reasons: ['The driver was late.'] });
    expect(JSON.parse(report())).to.deep.include({ notApplicable: [] }).and.not.have.property('intervals');
  });

  it('names for each loss the user, when it was acknowledged and missed, and the faults that may explain it', () => {
    const [sticky = sampleRun({ mode: 'sticky' })] = sampleRuns();
    const incidents = sticky.findings.incidents.map((one, index) => (index === 1 ? { ...one, candidates: [] } : one));
    const stale = {
      ...incidents[1],
      kind: 'stale',
      user: 'ann',
      session: 1,
      sinceMs: 1,
      seenMs: 2,
      operations: [],
    } as const;
    const [only] = JSON.parse(report([changed(sticky, { findings: { incidents: [stale, ...incidents] } })])).runs;
    expect(only.losses).to.have.length(incidents.length);
    expect(only.losses[0]).to.have.all.keys('user', 'kind', 'sinceMs', 'seenMs', 'candidates');
    expect(only.losses[0]).to.deep.include({ kind: 'logged-out', candidates: ['kill'] });
    expect(only.losses[1]).to.have.all.keys('user', 'token', 'kind', 'sinceMs', 'seenMs', 'candidates');
    expect(only.losses[1]).to.deep.include({ kind: 'lost', candidates: [] });
    expect(only.incidents[2].candidates).to.deep.equal([]);
  });

  it('counts the members in trouble by the names of the metrics, and names them in the warnings', () => {
    const members = {
      answered: { 'backend-1': 120, 'backend-2': 0 },
      ejectedAtEnd: ['backend-2'],
      idleAfterHealing: [],
      notBack: ['backend-3'],
    };
    const [only] = JSON.parse(
      report([changed(sampleRun({ mode: 'redis', users: 3 }), { findings: { members } })]),
    ).runs;
    expect(only.members).to.deep.equal({
      'backend-1': { answered: 120 },
      'backend-2': { answered: 0 },
      ejectedAtEnd: 1,
      idleAfterHealing: 0,
      notBack: 1,
    });
    expect(only.warnings).to.have.length(1);
    expect(only.warnings[0]).to.match(/^backend-2 was still ejected/);
  });

  it('says why an expectation was not judged, and writes null for a percentile without a value', () => {
    const late = { text: 'requests.failed < 2 %', met: false, actual: '3', notJudged: 'the machine was busy' };
    const latencyMs = { p50: null, p90: null, p99: null, max: null };
    const run = changed(sampleRun({ mode: 'redis', users: 3 }), {
      findings: { latencyMs, recoveryMs: null, recovery: 'unknown' },
      verdict: { expectations: [late] },
    });
    const [only] = JSON.parse(report([run])).runs;
    expect(only.expectations).to.deep.equal([late]);
    expect(only.warnings).to.deep.equal([]);
    expect(only.latencyMs).to.deep.equal(latencyMs);
    expect(only).to.include({ recoveryMs: null, recovery: 'unknown' });
  });

  it('is indented and ends with a line break', () => {
    expect(report())
      .to.match(/^\{\n {2}"schema": 1,\n/)
      .and.match(/\n\}\n$/);
  });
});

function departures(value: unknown, shape: unknown, place: string): string[] {
  if (typeof shape === 'string') {
    const kind = typeof value;
    const matches = kind === shape && (kind !== 'number' || Number.isFinite(value));
    return matches ? [] : [`${place} is ${kind}, expected ${shape}`];
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(value) || value.length === 0) return [`${place} is no list with anything in it`];
    return value.flatMap((item, index) => departures(item, shape[0], `${place}[${index}]`));
  }
  if (typeof value !== 'object' || value === null) return [`${place} is no object`];
  const fields = new Map<string, unknown>(Object.entries(value));
  return Object.entries(shape ?? {}).flatMap(([key, inner]) => departures(fields.get(key), inner, `${place}.${key}`));
}
