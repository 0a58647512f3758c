import { expect } from 'chai';
import type { Findings } from '#src/simulator/checker/findings.js';
import { judge, warningsOf } from '#src/simulator/checker/verdict.js';
import { ScenarioError } from '#src/simulator/errors.js';
import type { ExpectationLine, FaultRecord, RunRecord } from '#src/simulator/history/records.js';
import { fault, findings, login, run } from './judged.js';

function expecting(...expectations: ExpectationLine[]): RunRecord {
  return { ...run, header: { ...run.header, expectations } };
}

function struckBy(changes: Partial<FaultRecord>): RunRecord {
  return { ...run, faults: [fault, { ...fault, id: 'second', ...changes }] };
}

function writing(changes: Partial<Findings['writes']>): Findings {
  return { ...findings, writes: { ...findings.writes, ...changes } };
}

function busyFor(busyMs: number): RunRecord {
  return { ...run, lab: { ...run.lab, busyMs } };
}

function lagging(p99: number): RunRecord {
  return { ...run, lab: { ...run.lab, lagMs: { ...run.lab.lagMs, p99 } } };
}

describe('verdict', () => {
  it('passes when every expectation is met, and says nothing more', () => {
    expect(judge(run, findings)).to.deep.equal({
      word: 'pass',
      reasons: [],
      expectations: [
        { text: 'users.loggedOut > 0', met: true, actual: '21' },
        { text: 'writes.lost > 0', met: true, actual: '300' },
      ],
    });
  });

  it('fails when one is not met, and says what was measured', () => {
    const verdict = judge(expecting('users.loggedOut > 0', 'writes.lost == 0', 'requests.failed < 0.1 %'), findings);
    expect(verdict.word).to.equal('fail');
    expect(verdict.reasons).to.deep.equal([
      'Expected writes.lost == 0; it was 300.',
      'Expected requests.failed < 0.1 %; it was 7 of 4000 requests.planned (0.175 %).',
    ]);
    expect(verdict.expectations.map(({ met }) => met)).to.deep.equal([true, false, false]);
  });

  const inconclusive: readonly (readonly [what: string, run: RunRecord, findings: Findings, reason: string])[] = [
    [
      'a fault was not confirmed',
      struckBy({ confirmedMs: null }),
      findings,
      'The fault "second" on backend-2 was never confirmed, so',
    ],
    [
      'a fault was not confirmed for a known reason',
      struckBy({ confirmedMs: null, problem: 'it still answers' }),
      findings,
      'never confirmed (it still answers), so',
    ],
    [
      'a planned fault left no record',
      { ...run, header: { ...run.header, faults: [fault.id, 'second'] } },
      findings,
      'The fault "second" was planned and never struck',
    ],
    [
      'what a fault waited for did not come',
      {
        ...run,
        header: { ...run.header, faults: [fault.id, 'second'] },
        lab: { ...run.lab, neverStruck: { second: 'it waited for requests.ok >= 9, and 7 were reached' } },
      },
      findings,
      'The fault "second" never struck, since it waited for requests.ok >= 9, and 7 were reached: lengthen phases.faults',
    ],
    ['the only fault left no record', { ...run, faults: [] }, findings, `The fault "${fault.id}" was planned`],
    [
      'a fault was not healed',
      struckBy({ healedMs: null }),
      findings,
      'The fault "second" on backend-2 was not healed before the end',
    ],
    [
      'a fault was not healed for a known reason',
      struckBy({ healedMs: null, problem: 'no boot' }),
      findings,
      'before the end (no boot), so',
    ],
    ['nobody acted', { ...run, operations: [] }, findings, 'No user logged in'],
    ['every login failed', { ...run, operations: [{ ...login, outcome: 'fail' }] }, findings, 'No user logged in'],
    [
      'every login is in doubt',
      { ...run, operations: [{ ...login, outcome: 'unknown' }] },
      findings,
      'No user logged in',
    ],
    [
      'only other things were ok',
      { ...run, operations: [{ ...login, kind: 'whoami' }] },
      findings,
      'No user logged in',
    ],
    ['nothing was written', run, writing({ acknowledged: 0, lost: 0 }), 'No write was acknowledged'],
    [
      'too few writes were verified',
      run,
      writing({ unverified: 13 }),
      '13 of 1200 acknowledged writes (1.1 %) were never read again',
    ],
    ['the driver was late', lagging(20.1), findings, 'The driver itself was late (p99 20.1 ms, at most 20 ms allowed)'],
    [
      'no processor was idle',
      busyFor(2_345),
      findings,
      'No processor was idle for 2.3 s on end (at most 1 s allowed), so the servers may have been slow',
    ],
    ['nothing is expected', expecting(), findings, 'The scenario expects nothing in mode sticky'],
    [
      'nothing more than warnings is expected',
      expecting({ warn: 'writes.lost > 0' }),
      findings,
      'The scenario expects nothing in mode sticky',
    ],
    [
      'nothing was planned for a window',
      expecting('requests.failed during recovery == 0', 'requests.failed during 0s..1s == 0'),
      findings,
      'Nothing was planned from 5000 ms to 6000 ms, so nothing shows whether requests.failed during recovery == 0',
    ],
  ];

  for (const [what, record, found, reason] of inconclusive) {
    it(`is inconclusive when ${what}, whatever the expectations say`, () => {
      const verdict = judge(record, found);
      expect(verdict.word).to.equal('inconclusive');
      expect(verdict.reasons).to.have.length(1);
      expect(verdict.reasons[0])
        .to.include(reason)
        .and.to.match(/: .+\.$/);
    });
  }

  it('is inconclusive, not failed, when the evidence is doubtful and an expectation is not met', () => {
    const doubtful = { ...expecting('writes.lost == 0'), lab: lagging(50).lab };
    const verdict = judge(doubtful, findings);
    expect(verdict.word).to.equal('inconclusive');
    expect(verdict.expectations).to.deep.equal([{ text: 'writes.lost == 0', met: false, actual: '300' }]);
  });

  it('fails for a defect that was seen, however doubtful the rest, and tells both', () => {
    const doubtful = { ...expecting('writes.phantom == 0', 'writes.lost == 0'), lab: lagging(50).lab };
    const verdict = judge(doubtful, writing({ phantom: 1 }));
    expect(verdict.word).to.equal('fail');
    expect(verdict.reasons[0]).to.equal('Expected writes.phantom == 0; it was 1.');
    expect(verdict.reasons[1]).to.include('The driver itself was late');
    expect(verdict.reasons).to.have.length(2);
    expect(judge(doubtful, writing({ phantom: 0 })).word).to.equal('inconclusive');
  });

  it('sees no defect where nothing was counted of nothing', () => {
    const verdict = judge(expecting('writes.resurrected < 10 %'), writing({ acknowledged: 0, lost: 0 }));
    expect(verdict.word).to.equal('inconclusive');
    expect(verdict.expectations[0]?.met).to.equal(false);
    expect(judge(expecting('writes.resurrected < 10 %'), writing({ acknowledged: 0, resurrected: 2 })).word).to.equal(
      'fail',
    );
  });

  it('gives every reason there is', () => {
    const bad = { ...struckBy({ confirmedMs: null, healedMs: null }), lab: lagging(50).lab };
    expect(judge(bad, writing({ acknowledged: 0 })).reasons).to.have.length(3);
  });

  const almost: readonly (readonly [what: string, run: RunRecord, findings: Findings])[] = [
    ['one percent is not verified', run, writing({ unverified: 12 })],
    ['the driver is as late as it may be', lagging(20), findings],
    ['all processors were busy for as long as they may be', busyFor(1_000), findings],
    ['no fault was planned', { ...run, header: { ...run.header, faults: [] }, faults: [] }, findings],
    ['one login failed and one did not', { ...run, operations: [{ ...login, outcome: 'fail' }, login] }, findings],
  ];

  for (const [what, record, found] of almost) {
    it(`passes still when ${what}`, () => {
      expect(judge(record, found).word).to.equal('pass');
    });
  }

  it('compares what stands in the window of an expectation', () => {
    const verdict = judge(
      expecting('requests.ok during warmup == 1', 'requests.ok during 5ms..9s == 1', 'requests.ok during kill == 2'),
      findings,
    );
    expect(verdict.word).to.equal('inconclusive');
    expect(verdict.expectations.map(({ met, actual }) => `${met} ${actual}`)).to.deep.equal([
      'true 1',
      'false nothing planned in this window',
      'false nothing planned in this window',
    ]);
    expect(verdict.reasons).to.have.length(2);
  });

  it('says once that a fault never struck, of its window too', () => {
    const never = { ...expecting('requests.ok during kill == 1', 'requests.ok == 3990'), faults: [] };
    const verdict = judge(never, findings);
    expect(verdict.word).to.equal('inconclusive');
    expect(verdict.reasons).to.have.length(1);
    expect(verdict.reasons[0]).to.include('planned and never struck');
  });

  it('does not depend on warnings, and tells those that were not heeded', () => {
    const warned = expecting('users.loggedOut > 0', { warn: 'writes.lost == 0' }, { warn: 'writes.lost > 0' });
    const verdict = judge(warned, findings);
    expect(verdict).to.deep.equal({
      word: 'pass',
      reasons: [],
      expectations: [
        { text: 'users.loggedOut > 0', met: true, actual: '21' },
        { text: 'writes.lost == 0', level: 'warn', met: false, actual: '300' },
        { text: 'writes.lost > 0', level: 'warn', met: true, actual: '300' },
      ],
    });
    expect(warningsOf(verdict)).to.deep.equal(['Expected writes.lost == 0; it was 300.']);
  });

  it('is not in doubt when nothing was planned for the window of a warning', () => {
    const verdict = judge(expecting('users.loggedOut > 0', { warn: 'requests.bad during recovery == 0' }), findings);
    expect(verdict.word).to.equal('pass');
    expect(warningsOf(verdict)[0]).to.include('nothing planned in this window');
  });

  it('is no fail for a defect that is only warned of', () => {
    expect(judge(expecting('writes.lost > 0', { warn: 'writes.phantom == 0' }), writing({ phantom: 1 })).word).to.equal(
      'pass',
    );
  });

  it('refuses a history whose expectations do not parse, or name a window that is not there', () => {
    expect(() => judge(expecting('writes.lots == 0'), findings)).to.throw(ScenarioError, 'unknown metric');
    expect(() => judge(expecting('requests.ok during kil == 0'), findings)).to.throw(
      ScenarioError,
      'unknown window "kil". Did you mean "kill"? Known: warmup, baseline, faults, recovery, kill',
    );
  });
});
