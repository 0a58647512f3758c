import { expect } from 'chai';
import type { Findings } from '#src/simulator/checker/findings.js';
import { judge, warningsOf } from '#src/simulator/checker/verdict/verdict.js';
import { ScenarioError } from '#src/simulator/errors.js';
import type { ExpectationLine, FaultRecord, RunRecord } from '#src/simulator/history/records.js';
import { fault, findings, login, run } from '../../judged.js';

function expecting(...expectations: ExpectationLine[]): RunRecord {
  return { ...run, header: { ...run.header, expectations } };
}

function struckBy(changes: Partial<FaultRecord>): RunRecord {
  return { ...run, faults: [fault, { ...fault, id: 'second', ...changes }] };
}

/** The same findings, with an effect of the second fault, too. */
const twoEffects: Findings = {
  ...findings,
  faults: [...findings.faults, ...findings.faults.map(one => ({ ...one, id: 'second' }))],
};

function withEffect(effect: Findings['faults'][number]['effect']): Findings {
  return { ...findings, faults: findings.faults.map(one => ({ ...one, effect })) };
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
  it('passes without reasons when every expectation is met', () => {
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
      twoEffects,
      'The fault "second" on backend-2 was never confirmed, so',
    ],
    [
      'a fault was not confirmed for a known reason',
      struckBy({ confirmedMs: null, problem: 'it still answers' }),
      twoEffects,
      'never confirmed (it still answers), so',
    ],
    [
      'a planned fault left no record',
      { ...run, header: { ...run.header, faults: [fault.id, 'second'] } },
      findings,
      'The fault "second" was planned and never struck',
    ],
    [
      'a fault waited for a count that was not reached',
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
      twoEffects,
      'The fault "second" on backend-2 was not healed before the end',
    ],
    [
      'a fault was not healed for a known reason',
      struckBy({ healedMs: null, problem: 'no boot' }),
      twoEffects,
      'before the end (no boot), so',
    ],
    [
      'no login was acknowledged',
      run,
      { ...findings, evidence: { ...findings.evidence, loggedIn: 0 } },
      'No user logged in',
    ],
    ['nothing was written', run, writing({ acknowledged: 0, lost: 0 }), 'No write was acknowledged'],
    [
      'too few writes were verified',
      run,
      writing({ unverified: 13 }),
      '13 of 1200 acknowledged writes (1.1 %) never were read again after the last healing',
    ],
    [
      'too few users had a good read after the last healing',
      run,
      { ...findings, users: { ...findings.users, unverified: 1 } },
      '1 of 60 users (1.7 %) never had a good read after the last healing',
    ],
    [
      'far fewer operations took place than were planned',
      { ...run, header: { ...run.header, planned: 2 } },
      findings,
      'Only 1 of 2 planned operations took place',
    ],
    [
      'a fault had no effect',
      run,
      withEffect({ seen: 0, of: 60, text: 'backend-2 answered 12 requests, and was expected to answer none' }),
      'The fault "kill" on backend-2 had no effect that users could notice: backend-2 answered 12 requests',
    ],
    [
      'a command had no effect',
      { ...run, faults: [{ ...fault, target: 'system' }] },
      withEffect({ seen: 0, of: 1, text: 'confirm had succeeded before inject ran' }),
      'confirm had succeeded before inject ran. Take a confirm that fails until inject has done its work.',
    ],
    [
      'a command did not heal',
      { ...run, faults: [{ ...fault, target: 'system', healedMs: null, problem: 'heal: "exit 4" ended with code 4' }] },
      findings,
      '(heal: "exit 4" ended with code 4), so the read-back met a broken system: try its heal by hand.',
    ],
    [
      'the history does not name the expected effect',
      { ...run, faults: [{ ...fault, expects: undefined as never }] },
      withEffect(null),
      'The history does not say what users had to notice of the fault "kill": version 0.1 recorded it',
    ],
    [
      'the driver was late, and every expectation depends on time or errors',
      { ...expecting('requests.failed < 1 %'), lab: lagging(20.1).lab },
      findings,
      'Nothing could be judged, because the driver itself was late (p99 20.1 ms, at most 20 ms allowed)',
    ],
    [
      'the recovery is unknown and expected',
      expecting('recoveryMs < 1000'),
      { ...findings, recoveryMs: null, recovery: 'unknown' },
      'Nothing shows whether recoveryMs < 1000: less than 2 s of load followed the healing',
    ],
    [
      'no processor was idle',
      { ...expecting('latencyMs.p99 < 100'), lab: busyFor(2_345).lab },
      findings,
      'because no processor was idle for 2.3 s without a break (at most 1 s allowed)',
    ],
    ['nothing is expected', expecting(), findings, 'The scenario expects nothing in mode sticky'],
    [
      'the scenario has only warnings',
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
    it(`is inconclusive when ${what}, even if all expectations are met`, () => {
      const verdict = judge(record, found);
      expect(verdict.word).to.equal('inconclusive');
      expect(verdict.reasons).to.have.length(1);
      expect(verdict.reasons[0])
        .to.include(reason)
        .and.to.match(/: .+\.$/);
    });
  }

  it('judges losses and defects on a busy machine, and leaves time and errors unjudged', () => {
    const busy = { ...expecting('writes.lost > 0', 'requests.failed == 0', 'latencyMs.p99 < 1'), lab: lagging(50).lab };
    const verdict = judge(busy, findings);
    expect(verdict.word).to.equal('pass');
    expect(verdict.machineWasBusy).to.equal(true);
    expect(verdict.expectations.map(({ notJudged }) => notJudged?.slice(0, 26))).to.deep.equal([
      undefined,
      'the driver itself was late',
      'the driver itself was late',
    ]);
    expect(judge({ ...busy, ...expecting('writes.lost == 0'), lab: busy.lab }, findings).word).to.equal('fail');
  });

  it('does not ask for another run when the machine was busy but no expectation depends on it', () => {
    const busy = { ...expecting('writes.lost > 0'), lab: lagging(50).lab };
    expect(judge(busy, findings)).not.to.have.property('machineWasBusy');
  });

  it('fails for a loss that was seen, even if the rest is doubtful, and reports both', () => {
    const doubtful = { ...expecting('writes.lost == 0'), faults: struckBy({ confirmedMs: null }).faults };
    const verdict = judge(doubtful, twoEffects);
    expect(verdict.word).to.equal('fail');
    expect(verdict.reasons[0]).to.equal('Expected writes.lost == 0; it was 300.');
    expect(verdict.reasons[1]).to.include('was never confirmed');
    expect(verdict.reasons).to.have.length(2);
  });

  it('does not fail for a missing loss while a fault is doubtful', () => {
    const doubtful = { ...expecting('writes.lost > 0'), faults: struckBy({ confirmedMs: null }).faults };
    expect(judge(doubtful, { ...twoEffects, writes: { ...findings.writes, lost: 0 } }).word).to.equal('inconclusive');
  });

  it('fails for errors above the limit even if few users were verified, but not while a fault is doubtful', () => {
    const dead = { ...findings, users: { ...findings.users, unverified: 60 } };
    expect(judge(expecting('requests.failed == 0'), dead).word).to.equal('fail');
    const unconfirmed = { ...expecting('requests.failed == 0'), faults: struckBy({ confirmedMs: null }).faults };
    expect(judge(unconfirmed, twoEffects).word).to.equal('inconclusive');
  });

  it('fails when a member did not come back, and shows its last lines', () => {
    const why = 'backend-2 ended with code 1 before it answered.\n  | Error: EADDRINUSE\n';
    const gone = { ...run, faults: [{ ...fault, healedMs: null, notBack: [{ member: 'backend-2', why }] }] };
    const verdict = judge(gone, { ...findings, members: { ...findings.members, notBack: ['backend-2'] } });
    expect(verdict.word).to.equal('fail');
    expect(verdict.reasons).to.deep.equal([`backend-2 did not come back after the fault "kill": ${why.trim()}`]);
  });

  for (const [target, isBlamed] of [
    ['backend-2', true],
    ['proxy->backend-2', true],
    ['proxy', false],
    ['system', false],
  ] as const)
    it(`${isBlamed ? 'names' : 'does not blame'} a proxy that ended during a fault on ${target}`, () => {
      const members = (['up', 'dead'] as const).map((state, index) => ({
        ...{ type: 'member' as const, member: 'proxy', atMs: 1_500 * index, state },
      }));
      const verdict = judge({ ...run, faults: [{ ...fault, target }], members }, findings);
      const said = 'proxy ended by itself after 1.5 s, and no fault had struck it: start it by hand to see why.';
      expect(verdict.word).to.equal(isBlamed ? 'inconclusive' : 'pass');
      expect(verdict.reasons.includes(said)).to.equal(isBlamed);
    });

  it('does not fail for a share when the total is 0', () => {
    const verdict = judge(expecting('writes.resurrected < 10 %'), writing({ acknowledged: 0, lost: 0 }));
    expect(verdict.word).to.equal('inconclusive');
    expect(verdict.expectations[0]?.met).to.equal(false);
    expect(judge(expecting('writes.resurrected < 10 %'), writing({ acknowledged: 0, resurrected: 2 })).word).to.equal(
      'fail',
    );
  });

  it('lists every reason', () => {
    const bad = struckBy({ confirmedMs: null, healedMs: null });
    expect(judge(bad, { ...twoEffects, writes: { ...findings.writes, acknowledged: 0 } }).reasons).to.have.length(2);
  });

  const almost: readonly (readonly [what: string, run: RunRecord, findings: Findings])[] = [
    ['one percent is not verified', run, writing({ unverified: 12 })],
    ['the driver is as late as it may be', lagging(20), findings],
    ['all processors were busy for as long as they may be', busyFor(1_000), findings],
    [
      'no fault was planned',
      { ...run, header: { ...run.header, faults: [] }, faults: [] },
      { ...findings, faults: [] },
    ],
    ['one login failed and one did not', { ...run, operations: [{ ...login, outcome: 'fail' }, login] }, findings],
  ];

  for (const [what, record, found] of almost) {
    it(`still passes when ${what}`, () => {
      expect(judge(record, found).word).to.equal('pass');
    });
  }

  it('compares the findings within the window of an expectation', () => {
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

  it('says only once that a fault never struck, even if an expectation has its window', () => {
    const never = { ...expecting('requests.ok during kill == 1', 'requests.ok == 3990'), faults: [] };
    const verdict = judge(never, findings);
    expect(verdict.word).to.equal('inconclusive');
    expect(verdict.reasons).to.have.length(1);
    expect(verdict.reasons[0]).to.include('planned and never struck');
  });

  it('does not depend on warnings, and lists those that were not met', () => {
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

  it('is not inconclusive when nothing was planned for the window of a warning', () => {
    const verdict = judge(expecting('users.loggedOut > 0', { warn: 'requests.bad during recovery == 0' }), findings);
    expect(verdict.word).to.equal('pass');
    expect(warningsOf(verdict)[0]).to.include('nothing planned in this window');
  });

  it('does not fail for a defect that only a warning names', () => {
    expect(judge(expecting('writes.lost > 0', { warn: 'writes.phantom == 0' }), writing({ phantom: 1 })).word).to.equal(
      'pass',
    );
  });

  it('rejects a history whose expectations do not parse, or name an unknown window', () => {
    expect(() => judge(expecting('writes.lots == 0'), findings)).to.throw(ScenarioError, 'unknown metric');
    const system = {
      members: [{ name: 'backend-1', role: 'backend' }],
      keeps: 'backend',
      stores: [],
      affinity: true,
    } as const;
    const asked = expecting('members.backend-9.answered > 0');
    expect(() => judge({ ...asked, header: { ...asked.header, system } }, findings)).to.throw(
      ScenarioError,
      'unknown member "backend-9". Did you mean "backend-1"?',
    );
    expect(() => judge(expecting('requests.ok during kil == 0'), findings)).to.throw(
      ScenarioError,
      'unknown window "kil". Did you mean "kill"? Known: warmup, baseline, faults, recovery, kill',
    );
  });
});
