import { expect } from 'chai';
import type { Findings } from '#src/simulator/checker/findings.js';
import { ScenarioError } from '#src/simulator/errors.js';
import { evaluate, metricNames, parseExpectation } from '#src/simulator/expectations.js';
import { findings } from './judged.js';

const notRecovered: Findings = { ...findings, recoveryMs: null, recovered: false };
const nothingBroke: Findings = { ...findings, recoveryMs: null, recovered: true };
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

    ['users.loggedOut >= 35 %', true, '21 of 60 users.total (35 %)'],
    ['users.loggedOut > 35%', false, '21 of 60 users.total (35 %)'],
    ['writes.lost < 25.1 %', true, '300 of 1200 writes.acknowledged (25 %)'],
    ['requests.failed < 0.1 %', false, '7 of 4000 requests.planned (0.175 %)'],
    ['writes.lost == 0 %', false, '0, and writes.acknowledged is 0', nothingWritten],
    ['writes.lost != 0 %', true, '0, and writes.acknowledged is 0', nothingWritten],

    ['recoveryMs < 1000', true, '312'],
    ['recoveryMs < 1000', false, 'not recovered', notRecovered],
    ['recoveryMs > 1000', false, 'not recovered', notRecovered],
    ['recoveryMs >= 0', false, 'not recovered', notRecovered],
    ['recoveryMs == 0', false, 'not recovered', notRecovered],
    ['recoveryMs != 0', true, 'not recovered', notRecovered],
    [
      'recoveryMs < 1000',
      false,
      'no fault struck, or nothing worked before: there was nothing to recover',
      nothingBroke,
    ],
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
    ['lost == 0', 'unknown metric "lost". Known: users.total, users.loggedOut'],
    ['constructor == 0', 'unknown metric "constructor"'],
    ['recovered == 1', 'unknown metric "recovered"'],
    ['incidents.length == 0', 'unknown metric "incidents.length"'],
    ['latencyMs.p99 < 5 %', 'a percentage of latencyMs.p99 has no meaning'],
    ['recoveryMs < 5 %', 'a percentage of recoveryMs has no meaning'],
    ['guarantees.monotonicReads == 0 %', 'a percentage of guarantees.monotonicReads has no meaning'],
  ];

  for (const [text, message] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseExpectation(text)).to.throw(ScenarioError, message);
    });
  }

  it('can be about every number of the findings, and about nothing else', () => {
    const numbers = Object.entries(findings).flatMap(([group, value]) => {
      if (typeof value === 'number') return [group];
      return Object.keys(Array.isArray(value) ? {} : Object(value)).map(name => `${group}.${name}`);
    });
    expect([...metricNames].sort()).to.deep.equal(numbers.sort());
  });

  it('measures every metric it knows', () => {
    for (const metric of metricNames) {
      expect(evaluate(parseExpectation(`${metric} >= 0`), findings).actual, metric).to.match(/^[\d.]+$/);
    }
  });
});
