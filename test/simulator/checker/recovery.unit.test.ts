import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import type { FaultRecord, Operation, PhaseRecord } from '#src/simulator/history/records.js';
import { fault, runOf } from './histories.js';

/** Returns one operation every 10 ms, with the fields that `make` returns for its planned time. */
function load(untilMs: number, make: (atMs: number) => Partial<Operation>): Operation[] {
  return Array.from({ length: untilMs / 10 }, (_, i): Operation => {
    const atMs = i * 10;
    return {
      type: 'operation',
      id: i,
      user: `user-${i % 7}`,
      kind: 'whoami',
      session: 0,
      plannedMs: atMs,
      sentMs: atMs,
      doneMs: atMs + 5,
      outcome: 'ok',
      ...make(atMs),
    };
  });
}

const baseline: PhaseRecord = { type: 'phase', phase: 'baseline', startMs: 0, endMs: 4000 };
const kill = fault('kill', 3900, 3910, 4000);

function recovery(operations: readonly Operation[], faults: readonly FaultRecord[] = [kill], phases = [baseline]) {
  const { recoveryMs, recovery } = check(runOf(operations, { faults, phases }));
  return { recoveryMs, recovery };
}

function failing(...spans: readonly (readonly [number, number])[]) {
  return (atMs: number): Partial<Operation> =>
    spans.some(([from, until]) => atMs >= from && atMs < until) ? { outcome: 'fail' } : {};
}

/** Returns a load with 10 % errors. By chance, a window of 200 operations may hold up to 32 errors. */
function relapsing(untilMs: number) {
  return (atMs: number): Partial<Operation> =>
    atMs % 100 === 0 || (atMs >= 7000 && atMs < untilMs) ? { outcome: 'fail' } : {};
}

describe('recovery with few operations after the healing', () => {
  it('is unknown with fewer than ten operations', () => {
    const sparse = load(10_000, () => ({})).filter(({ plannedMs }) => plannedMs < 4000 || plannedMs >= 9950);
    expect(recovery(sparse)).to.deep.equal({ recoveryMs: null, recovery: 'unknown' });
  });

  it('is not earlier than the first window with operations', () => {
    const late = load(10_000, () => ({})).filter(({ plannedMs }) => plannedMs < 4000 || plannedMs >= 9000);
    expect(recovery(late)).to.deep.equal({ recoveryMs: 3100, recovery: 'recovered' });
  });
});

describe('recovery', () => {
  const cases: readonly (readonly [name: string, make: (atMs: number) => Partial<Operation>, ms: number | null])[] = [
    ['at once: everything stayed in the band', () => ({}), 0],
    ['at once: errors occurred only before the fault', failing([3000, 3100]), 0],
    ['after the last error', failing([4000, 4700]), 700],
    ['not before a relapse', failing([4000, 4300], [7000, 7100]), 3100],
    ['at once: no more errors than chance makes of the error rate in the baseline', relapsing(7140), 0],
    ['not before a relapse: one error more than chance explains', relapsing(7150), 3100],
    ['just in time: the last window is good', failing([4000, 8000]), 4000],
    ['never: one error in the last window', failing([4000, 8010]), null],
    ['never: errors to the end', failing([4000, 10_000]), null],
    ['never: a relapse at the end', failing([9900, 10_000]), null],
    // If only a tenth of the window is slow, its 90th percentile is still inside the band.
    ['after the last slow answer', atMs => (atMs >= 4000 && atMs < 5000 ? { doneMs: atMs + 100 } : {}), 800],
    ['at once: no slower than the band allows', atMs => (atMs >= 4000 ? { doneMs: atMs + 19 } : {}), 0],
    ['at once: few answers are slow', atMs => (atMs % 200 === 0 && atMs >= 4000 ? { doneMs: atMs + 500 } : {}), 0],
    ['at once: no more errors than in the baseline', atMs => (atMs % 100 === 0 ? { outcome: 'unknown' } : {}), 0],
    [
      'at once: a few more errors, within chance',
      atMs => (atMs % (atMs < 4000 ? 100 : 90) === 0 ? { outcome: 'fail' } : {}),
      0,
    ],
    ['unknown outcomes are errors too', atMs => (atMs >= 4000 && atMs < 4200 ? { outcome: 'unknown' } : {}), 200],
  ];
  for (const [name, make, ms] of cases) {
    it(name, () => {
      const state = ms === null ? 'not recovered' : 'recovered';
      expect(recovery(load(10_000, make))).to.deep.equal({ recoveryMs: ms, recovery: state });
    });
  }

  const unknown = { recoveryMs: null, recovery: 'unknown' };
  const never = { recoveryMs: null, recovery: 'not recovered' };

  it('is unknown when nothing worked before the fault', () => {
    expect(recovery(load(10_000, failing([0, 10_000])))).to.deep.equal(unknown);
  });

  it('is unknown when the load ends less than 2 s after the healing', () => {
    expect(recovery(load(5990, () => ({})))).to.deep.equal(unknown);
    expect(recovery(load(6010, () => ({})))).to.deep.equal({ recoveryMs: 0, recovery: 'recovered' });
  });

  it('is unknown when a fault was never healed', () => {
    expect(
      recovery(
        load(10_000, () => ({})),
        [fault('kill', 3900, 3910, null)],
      ),
    ).to.deep.equal(unknown);
  });

  it('is none without a confirmed fault', () => {
    const none = { recoveryMs: null, recovery: 'none' };
    expect(recovery(load(10_000, failing([4000, 9990])), [])).to.deep.equal(none);
    expect(
      recovery(
        load(10_000, () => ({})),
        [fault('nothing', 1000, null, null)],
      ),
    ).to.deep.equal(none);
  });

  it('of the run is the recovery after the last healing, so that an earlier recovery cannot hide a later failure', () => {
    const faults = [kill, fault('next', 7000, 7100, 7200)];
    const run = runOf(load(12_000, failing([4000, 4500], [7000, 12_000])), { faults, phases: [baseline] });
    const { recovery: ofRun, recoveryProblem, faults: each } = check(run);
    expect(ofRun).to.equal('not recovered');
    expect(recoveryProblem).to.equal('100.0 % errors against 0.0 % in the baseline');
    expect(each.map(one => [one.id, one.recoveryMs, one.recovery])).to.deep.equal([
      ['kill', 500, 'recovered'],
      ['next', null, 'not recovered'],
    ]);
  });

  it('is common to overlapping faults, and counts from the last healing', () => {
    const faults = [fault('cut', 3900, 3910, 4000), fault('kill', 3950, 3960, 5000)];
    const found = check(runOf(load(10_000, failing([3900, 5200])), { faults, phases: [baseline] }));
    expect(found.faults.map(({ recoveryMs }) => recoveryMs)).to.deep.equal([200, 200]);
  });

  it('counts a dropped step as bad', () => {
    const lab = { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 1, droppedMs: [9990] } as const;
    const run = runOf(
      load(10_000, () => ({})),
      { faults: [kill], phases: [baseline], lab },
    );
    expect(check(run)).to.include(never);
  });

  it('uses smaller windows in a short run', () => {
    expect(recovery(load(6500, failing([4000, 4300])))).to.deep.equal({ recoveryMs: 300, recovery: 'recovered' });
    expect(recovery(load(6500, failing([4000, 6400])))).to.deep.equal(never);
  });

  it('uses the time before the fault if there is no baseline phase', () => {
    expect(recovery(load(10_000, failing([4000, 4300])), [kill], [])).to.deep.equal({
      recoveryMs: 300,
      recovery: 'recovered',
    });
  });

  it('waits until the last user has noticed the logout', () => {
    const operations = load(10_000, () => ({}));
    const login = { ...operations[0], user: 'ann', kind: 'login', session: 1, identity: 'ann' } as Operation;
    const anonymousAnswer = {
      ...login,
      kind: 'whoami',
      identity: null,
      plannedMs: 4000,
      sentMs: 4000,
      doneMs: 4890,
    } as Operation;
    const found = recovery([login, ...operations, anonymousAnswer]);
    expect(found).to.deep.equal({ recoveryMs: 900, recovery: 'recovered' });
  });
});
