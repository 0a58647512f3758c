import { expect } from 'chai';
import { addedByHash } from '#src/simulator/checker/check.js';
import { newTally } from '#src/simulator/checker/findings.js';
import { noteMove, noteVersions } from '#src/simulator/checker/users/user-pass.js';
import type { FaultRecord, MemberRecord, Operation } from '#src/simulator/history/records.js';
import { run } from '../judged.js';

/** An answer that was sent at `sentMs` and took 5 ms. */
function answer(sentMs: number, more: Partial<Operation>): Operation {
  const times = { plannedMs: sentMs, sentMs, doneMs: sentMs + 5 };
  return {
    ...{ type: 'operation', id: sentMs, user: 'anna', kind: 'whoami', session: 1, outcome: 'ok', status: 200 },
    ...times,
    ...more,
  };
}

function fault(requestedMs: number, confirmedMs: number | null, name = 'scale-out'): FaultRecord {
  const target = 'backend-2';
  return { type: 'fault', id: name, fault: name, target, requestedMs, confirmedMs, healedMs: null };
}

describe('versions that a user saw', () => {
  for (const [what, versions, both, back] of [
    ['one version', 'AAA', 0, 0],
    ['the new version after the old one', 'AABB', 1, 0],
    ['the old version again', 'ABA', 1, 1],
    ['a third version', 'ABC', 1, 0],
    ['none, because no answer names one', '---', 0, 0],
  ] as const)
    it(`${what}: ${versions}`, () => {
      const { exposure } = newTally();
      noteVersions(
        [...versions].map((version, i) => answer(10 * i, version === '-' ? {} : { version })),
        exposure,
      );
      expect([exposure.sawBothVersions, exposure.wentBack]).to.deep.equal([both, back]);
    });

  it('are not in order when requests overlap or old cookies are replayed', () => {
    const { exposure } = newTally();
    const overlapping = answer(12, { version: 'A' });
    const replay = answer(30, { version: 'A', kind: 'replay' });
    noteVersions([answer(0, { version: 'A' }), answer(10, { version: 'B' }), overlapping, replay], exposure);
    expect([exposure.sawBothVersions, exposure.wentBack]).to.deep.equal([1, 0]);
  });
});

describe('a user that moved', () => {
  const [one, two] = [{ backend: 'backend-1' }, { backend: 'backend-2' }];
  const faults = [fault(100, 200)];
  for (const [what, operations, present, moved] of [
    ['to another backend', [answer(10, one), answer(210, two)], 1, 1],
    ['not at all', [answer(10, one), answer(210, one), answer(220, two)], 1, 0],
    ['while the fault was injected, which does not count', [answer(10, one), answer(150, two), answer(210, one)], 1, 0],
    ['but was not there before', [answer(210, two)], 0, 0],
    ['but was not there after', [answer(10, one)], 0, 0],
    ['and the answer names no backend', [answer(10, one), answer(210, {})], 0, 0],
  ] as const)
    it(what, () => {
      const { exposure } = newTally();
      noteMove(operations, faults, exposure);
      expect([exposure.present, exposure.moved]).to.deep.equal([present, moved]);
    });

  it('is not counted when no fault was confirmed', () => {
    const { exposure } = newTally();
    noteMove([answer(10, one), answer(210, two)], [fault(100, null)], exposure);
    noteMove([answer(10, one), answer(210, two)], [], exposure);
    expect([exposure.present, exposure.moved]).to.deep.equal([0, 0]);
  });
});

describe('the share that a hash moves', () => {
  const up = (member: string): MemberRecord => ({ type: 'member', member, atMs: 0, state: 'up' });
  const names = ['backend-1', 'backend-2', 'backend-3', 'backend-4'];
  const system = {
    members: names.map(name => ({ name, role: 'backend' as const })),
    keeps: 'backend' as const,
    stores: [],
    affinity: false,
  };
  const hashed = { ...run, header: { ...run.header, system: { ...system, policy: 'rendezvous' } } };

  for (const [running, added] of [
    [1, 1],
    [3, 1],
    [2, 2],
  ] as const)
    it(`is ${added} of ${running + added} when ${added} are added to ${running}`, () => {
      const faults = Array.from({ length: added }, () => fault(100, 200));
      expect(addedByHash({ ...hashed, faults, members: names.slice(0, running).map(up) })).to.deep.equal({
        added,
        all: running + added,
      });
    });

  it('counts no backend that had ended, and none that comes up with the fault', () => {
    const dead: MemberRecord = { ...up('backend-3'), atMs: 50, state: 'dead' };
    const late: MemberRecord = { ...up('backend-2'), atMs: 150 };
    const members = [up('backend-1'), up('backend-3'), dead, late];
    expect(addedByHash({ ...hashed, faults: [fault(100, 200)], members })).to.deep.equal({ added: 1, all: 2 });
  });

  it('is unknown without a hash, and when no backend was added', () => {
    const members = [up('backend-1')];
    expect(addedByHash({ ...hashed, faults: [fault(100, 200, 'kill')], members })).to.equal(null);
    expect(addedByHash({ ...hashed, faults: [fault(100, null)], members })).to.equal(null);
    const turns = { ...run, header: { ...run.header, system } };
    expect(addedByHash({ ...turns, faults: [fault(100, 200)], members })).to.equal(null);
  });
});
