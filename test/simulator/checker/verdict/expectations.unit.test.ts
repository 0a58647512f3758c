import { expect } from 'chai';
import type { Findings } from '#src/simulator/checker/findings.js';
import { evaluate, parseExpectation, parseLine } from '#src/simulator/checker/verdict/expectations.js';
import { measuredValue, metricNames, windowMetricNames } from '#src/simulator/checker/verdict/metrics.js';
import { ScenarioError } from '#src/simulator/errors.js';
import { findings } from '../../judged.js';

const notRecovered: Findings = { ...findings, recoveryMs: null, recovery: 'not recovered' };
const nothingBroke: Findings = { ...findings, recoveryMs: null, recovery: 'none' };
const noFault: Findings = { ...findings, users: { ...findings.users, exposed: null } };
const nothingExposed: Findings = { ...findings, users: { ...findings.users, exposed: 0, loggedOut: 0 } };
const nothingAnswered: Findings = { ...findings, latencyMs: { p50: null, p90: null, p99: null, max: null } };
const notCounted: Findings = { ...findings, stores: { evictions: null } };
const nothingWritten: Findings = { ...findings, writes: { ...findings.writes, acknowledged: 0, lost: 0 } };

describe('expectations', () => {
  const table: readonly (readonly [text: string, met: boolean, actual: string, findings?: Findings])[] = [
    ['users.loggedOut == 21', true, '21'],
    ['users.loggedOut == 20', false, '21'],
    ['users.loggedOut != 21', false, '21'],
    ['users.loggedOut != 0', true, '21'],
    ['users.loggedOut < 21', false, '21'],
    ['users.loggedOut < 21.5', true, '21'],
    ['users.loggedOut <= 21', true, '21'],
    ['users.loggedOut > 21', false, '21'],
    ['users.loggedOut > 0', true, '21'],
    ['users.loggedOut >= 21', true, '21'],
    ['  users.loggedOut>=22 ', false, '21'],
    ['guarantees.monotonicReads == 7', true, '7'],
    ['latencyMs.p99 < 14.3', true, '14.2'],
    ['serviceMs.max <= 80', true, '80'],

    ['noSession.forged > 2', false, '2'],
    ['stores.evictions > 0', true, '12'],
    ['stores.evictions == 0', false, 'not counted', notCounted],

    ['users.loggedOut >= 70 %', true, '21 of 30 users.exposed (70 %)'],
    ['users.loggedOut > 70%', false, '21 of 30 users.exposed (70 %)'],
    ['users.loggedOut >= 35 %', true, '21 of 60 users.total (35 %)', noFault],
    ['users.identitySwapped == 0 %', true, '0 of 60 users.total (0 %)'],
    ['users.loggedOut < 5 %', false, '0, and users.exposed is 0', nothingExposed],
    ['users.exposed > 0', false, 'not counted', noFault],
    ['writes.lost < 25.1 %', true, '300 of 1200 writes.acknowledged (25 %)'],
    ['requests.failed < 0.1 %', false, '7 of 4000 requests.planned (0.175 %)'],
    ['writes.lost == 0 %', false, '0, and writes.acknowledged is 0', nothingWritten],
    ['writes.lost != 0 %', false, '0, and writes.acknowledged is 0', nothingWritten],

    ['requests.bad < 0.25 %', true, '9 of 4000 requests.planned (0.225 %)'],

    ['recoveryMs < 1000', true, '312'],
    ['recoveryMs < 1000', false, 'not recovered', notRecovered],
    ['recoveryMs > 1000', false, 'not recovered', notRecovered],
    ['recoveryMs >= 0', false, 'not recovered', notRecovered],
    ['recoveryMs == 0', false, 'not recovered', notRecovered],
    ['recoveryMs != 0', false, 'not recovered', notRecovered],
    ['recoveryMs < 1000', false, 'no fault was confirmed', nothingBroke],
    ['recoveryMs < 1000', false, 'unknown', { ...findings, recoveryMs: null, recovery: 'unknown' }],
    ['latencyMs.p99 < 5', false, 'no answer to measure', nothingAnswered],
    ['latencyMs.p99 != 0', false, 'no answer to measure', nothingAnswered],

    ['members.backend-2.answered >= 1300', true, '1300'],
    ['members.backend-9.answered > 0', false, 'not counted'],
    ['members.ejectedAtEnd == 0', true, '0'],
    ['members.notBack == 0', false, '1', { ...findings, members: { ...findings.members, notBack: ['backend-1'] } }],
  ];

  for (const [text, met, actual, measured = findings] of table) {
    it(`${text}: ${met ? 'met' : 'not met'} by ${actual}`, () => {
      expect(evaluate(parseExpectation(text), measured)).to.deep.equal({ text, met, actual });
    });
  }

  const refused: readonly (readonly [text: string, message: string])[] = [
    ['', 'found "", expected <metric> <operator> <number>'],
    ['writes.lost', 'found "writes.lost", expected <metric>'],
    ['writes.lost ==', 'expected <metric>'],
    ['== 0', 'expected <metric>'],
    ['writes.lost == none', 'expected <metric>'],
    ['writes.lost == -1', 'expected <metric>'],
    ['writes.lost == 1e3', 'expected <metric>'],
    ['writes.lost == 0 or more', 'expected <metric>'],
    ['0 == writes.lost', 'expected <metric>'],
    ['writes.lost = 0', 'unknown operator "=". Did you mean "=="?'],
    ['writes.lost === 0', 'unknown operator "===". Did you mean "=="?'],
    ['writes.lost => 0', 'unknown operator "=>"'],
    ['writes.lose == 0', 'unknown metric "writes.lose". Did you mean "writes.lost"?'],
    ['lost == 0', 'unknown metric "lost". Known: users.total, users.exposed'],
    ['constructor == 0', 'unknown metric "constructor"'],
    ['recovered == 1', 'unknown metric "recovered"'],
    ['incidents.length == 0', 'unknown metric "incidents.length"'],
    ['latencyMs.p99 < 5 %', 'a percentage of latencyMs.p99 has no meaning'],
    ['recoveryMs < 5 %', 'a percentage of recoveryMs has no meaning'],
    ['guarantees.monotonicReads == 0 %', 'a percentage of guarantees.monotonicReads has no meaning'],

    ['requests.failed during < 1', 'expected <metric>'],
    ['requests.failed during the faults < 1', 'expected <metric>'],
    ['during recovery requests.failed < 1', 'expected <metric>'],
    ['requests.failed duringrecovery < 1', 'expected <metric>'],
    ['requests.faild during recovery < 1', 'unknown metric "requests.faild". Did you mean "requests.failed"?'],
    ['writes.lost >= 0', 'found "writes.lost >= 0", which every run meets. Expected a limit that a run can fail'],
    ['requests.failed <= 100 %', 'which every run meets'],
    ['requests.failed < 101 %', 'which every run meets'],
    ['users.loggedOut >= 0 %', 'which every run meets'],
    ['members.backend-1.answered >= 0', 'which every run meets'],
    ['writes.lost != 0.5', 'which every run meets. Expected a limit that a run can fail, such as "writes.lost == 0"'],
    ['requests.failed != 101 %', 'which every run meets'],
    ['members.backend-1.anwsered > 0', 'unknown metric "members.backend-1.anwsered"'],
    ['members.ejectedAtEnd during recovery == 0', 'members.ejectedAtEnd is counted over the whole run'],
    ['writes.stale during recovery == 0', 'writes.stale is counted over the whole run: remove "during recovery"'],
    ['recoveryMs during recovery < 1', 'Within a window count users.total, users.loggedOut, writes.acknowledged'],
    ['latencyMs.p99 during recovery < 5 %', 'a percentage of latencyMs.p99 has no meaning'],
    ['requests.failed during quiesce == 0', 'found the window quiesce, for which nothing is planned'],
    ['requests.failed during 5s..2s == 0', 'found the window 5s..2s, expected its end after its beginning'],
    ['requests.failed during 2s..2s == 0', 'found the window 2s..2s, expected its end after its beginning'],
    ['requests.failed during 2..5s == 0', 'found the window 2..5s, expected two moments of the run'],
    ['requests.failed during 2s.. == 0', 'found the window 2s.., expected two moments of the run'],
  ];

  for (const [text, message] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseExpectation(text)).to.throw(ScenarioError, message);
    });
  }

  it('can use every number of the findings, and nothing else', () => {
    const { pauses: _pauses, sentOfPlan: _sent, evidence: _evidence, ...countable } = findings;
    const numbers = Object.entries(countable).flatMap(([group, value]) => {
      if (typeof value === 'number') return [group];
      const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value);
      return Object.keys(isGroup ? value : {}).map(name => `${group}.${name}`);
    });
    // `answered` has one metric for each member name.
    expect([...metricNames, 'members.answered'].sort()).to.deep.equal(numbers.sort());
  });

  const windows: readonly (readonly [text: string, during: unknown])[] = [
    ['requests.failed during recovery < 1 %', { phase: 'recovery' }],
    [' requests.failed  during faults<1% ', { phase: 'faults' }],
    ['requests.failed during kill-2 < 1 %', { fault: 'kill-2' }],
    ['requests.failed during 2s..5s < 1 %', { fromMs: 2000, untilMs: 5000 }],
    ['requests.failed during 500ms..1.5s < 1 %', { fromMs: 500, untilMs: 1500 }],
  ];
  for (const [text, during] of windows) {
    it(`parses the window of ${text.trim()}`, () => {
      expect(parseExpectation(text).during).to.deep.equal(during);
    });
  }

  it('are not met in a window for which nothing was planned', () => {
    for (const comparison of ['== 0', '!= 0', '>= 1', '< 1 %']) {
      const text = `requests.failed during recovery ${comparison}`;
      const actual = 'nothing planned in this window';
      expect(evaluate(parseExpectation(text), undefined)).to.deep.equal({ text, met: false, actual });
    }
  });

  it('keep the level of their line', () => {
    expect(parseLine('writes.lost == 0')).not.to.have.property('level');
    expect(parseLine({ warn: 'writes.lost == 0' })).to.include({ level: 'warn', text: 'writes.lost == 0' });
    expect(evaluate(parseLine({ warn: 'writes.lost == 0' }), findings)).to.include({ level: 'warn', met: false });
    expect(() => parseLine({ warn: 'writes.lots == 0' })).to.throw(ScenarioError, 'unknown metric');
  });

  it('can measure every metric of a window', () => {
    expect(metricNames).to.include.members([...windowMetricNames]);
    for (const metric of windowMetricNames) {
      expect(evaluate(parseExpectation(`${metric} during faults > 0`), findings).actual, metric).to.match(/^[\d.]+$/);
    }
  });

  it('can measure every metric', () => {
    const deployed = { ...findings, versions: { A: 10, B: 20 } };
    for (const metric of metricNames) {
      expect(evaluate(parseExpectation(`${metric} > 0`), deployed).actual, metric).to.match(/^[\d.]+$/);
    }
  });
});

describe('a metric that a run may not show', () => {
  const { users } = findings;
  const two = { A: 10, B: 20 };
  for (const [what, metric, seen, value] of [
    ['is 0 when answers name two versions', 'users.wentBack', { ...findings, versions: two }, 0],
    ['has no value when they name one', 'users.wentBack', { ...findings, versions: { B: 20 } }, null],
    ['has no value when they name none', 'users.sawBothVersions', findings, null],
    ['is 0 when no user moved', 'users.moved', { ...findings, users: { ...users, moved: 0 } }, 0],
    ['is 0 when no backend was ejected', 'members.ejectedAtEnd', findings, 0],
    [
      'has no value when no proxy tells what it ejects',
      'members.ejectedAtEnd',
      { ...findings, members: { ...findings.members, ejectionsUnseen: true as const } },
      null,
    ],
    [
      'has no value when no user came before and after',
      'users.moved',
      { ...findings, users: { ...users, present: 0, moved: 0 } },
      null,
    ],
  ] as const)
    it(`${what}: ${metric}`, () => {
      expect(measuredValue(metric, seen)).to.equal(value);
    });
});
