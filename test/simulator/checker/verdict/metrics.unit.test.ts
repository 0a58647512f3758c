import { expect } from 'chai';
import { check } from '#src/simulator/checker/check.js';
import type { Span } from '#src/simulator/checker/load.js';
import { spanOf, type Window } from '#src/simulator/checker/verdict/expectations.js';
import { findingsWithin } from '#src/simulator/checker/verdict/metrics.js';
import type { RunRecord } from '#src/simulator/history/records.js';
import { fault, runOf, user } from '../histories.js';

/** Ann has no problem. Bob's add of 1 s is acknowledged late and then lost. Bob is logged out and logs in again. */
const ann = 'login, @1000-1005 add a, @2000-2005 read a, @3000-3900 add b?, @4000-4005 final read a b';
const bob =
  '@10-15 login, @1900-2100 add x, @2500-2505 whoami anonymous, @2600-2605 whoami anonymous, @2600-2605 login, @3000-3005 read, @4000-4005 final read';
const operations = [...user('ann', ann), ...user('bob', bob)].map((operation, index) => ({
  ...operation,
  id: index + 1,
  ...(operation.outcome === 'unknown' && { error: 'timeout' }),
  ...(operation.user === 'bob' && operation.sentMs === 2600 && operation.kind === 'login' && { extra: true as const }),
}));
const run: RunRecord = runOf(operations, {
  phases: [
    { type: 'phase', phase: 'baseline', startMs: 0, endMs: 2000 },
    { type: 'phase', phase: 'faults', startMs: 2000, endMs: 3000 },
    { type: 'phase', phase: 'recovery', startMs: 5000, endMs: 6000 },
  ],
  faults: [fault('kill', 2000, 2004, 2600), fault('stays', 2900, 2904, null)],
  lab: { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 3, droppedMs: [2500, 2999, 3000] },
});
const findings = check(run);

function within(window: Window) {
  const span = spanOf(window, run);
  return span && findingsWithin(run, findings, span);
}

function requests(window: Window) {
  const { planned, ok, failed, unknown, dropped, bad } = within(window)?.requests ?? expect.fail('nothing planned');
  return [planned, ok, failed, unknown, dropped, bad];
}

describe('findings within a window', () => {
  it('count the requests that were planned in it, whenever they ended, and the dropped ones', () => {
    expect(requests({ phase: 'baseline' })).to.deep.equal([4, 4, 0, 0, 0, 0]);
    // Two anonymous answers, a second login that is not in the plan, and two dropped steps.
    expect(requests({ phase: 'faults' })).to.deep.equal([5, 2, 2, 0, 2, 4]);
    expect(requests({ fromMs: 3000, untilMs: 4000 })).to.deep.equal([3, 1, 0, 1, 1, 2]);
  });

  it('include the first millisecond and exclude the last', () => {
    expect(requests({ fromMs: 1900, untilMs: 2000 })).to.deep.equal([1, 1, 0, 0, 0, 0]);
    expect(requests({ fromMs: 2000, untilMs: 2001 })).to.deep.equal([1, 1, 0, 0, 0, 0]);
  });

  it('add up to the whole run', () => {
    const parts = [0, 1900, 2000, 2600].map((fromMs, index, all) =>
      findingsWithin(run, findings, { fromMs, untilMs: all[index + 1] ?? Number.POSITIVE_INFINITY }),
    );
    for (const name of ['ok', 'failed', 'unknown', 'dropped', 'bad'] as const) {
      const sum = parts.reduce((total, part) => total + (part?.requests[name] ?? 0), 0);
      expect(sum, name).to.equal(findings.requests[name]);
    }
    for (const name of ['acknowledged', 'lost', 'unknown'] as const) {
      const sum = parts.reduce((total, part) => total + (part?.writes[name] ?? 0), 0);
      expect(sum, name).to.equal(findings.writes[name]);
    }
  });

  it('count a write and its loss in the window of the acknowledgement', () => {
    expect(findings.writes.lost).to.equal(1);
    expect(within({ phase: 'baseline' })?.writes).to.deep.equal({ acknowledged: 1, unknown: 0, lost: 0 });
    expect(within({ fault: 'kill' })?.writes).to.deep.equal({ acknowledged: 1, unknown: 0, lost: 1 });
    expect(within({ fromMs: 3000, untilMs: 4000 })?.writes).to.deep.equal({ acknowledged: 0, unknown: 1, lost: 0 });
  });

  it('count a logged-out user in the window in which it was seen, and every active user', () => {
    expect(within({ phase: 'faults' })?.users).to.deep.equal({ total: 2, loggedOut: 1 });
    expect(within({ fromMs: 2500, untilMs: 2600 })?.users).to.deep.equal({ total: 1, loggedOut: 1 });
    expect(within({ phase: 'baseline' })?.users.loggedOut).to.equal(0);
  });

  it('have the latencies of the requests planned in it, without the read-back', () => {
    expect(within({ fromMs: 3000, untilMs: 5000 })?.latencyMs).to.deep.equal({ p50: 5, p90: 900, p99: 900, max: 900 });
    expect(within({ fromMs: 0, untilMs: 1500 })?.serviceMs.max).to.equal(5);
  });

  it('include the waiting time of a dropped step, but no time for a refused connection', () => {
    const lab = { ...run.lab, droppedMs: [3500], droppedWaitMs: [2000] };
    const refused = { ...(operations[0] ?? expect.fail()), id: 99, outcome: 'fail', error: 'ECONNREFUSED' } as const;
    const late = { ...refused, plannedMs: 3600, sentMs: 3600, doneMs: 3601 };
    const found = findingsWithin({ ...run, operations: [...operations, late], lab }, findings, {
      fromMs: 3500,
      untilMs: 4000,
    });
    expect(found?.latencyMs).to.deep.equal({ p50: 2000, p90: 2000, p99: 2000, max: 2000 });
    expect(found?.serviceMs.max).to.equal(null);
    expect(found?.requests).to.include({ failed: 1, dropped: 1 });
  });

  it('have no latency when nothing was answered', () => {
    const found = findingsWithin({ ...run, lab: { ...run.lab, droppedWaitMs: [0, 0, 0] } }, findings, {
      fromMs: 2999,
      untilMs: 3000,
    });
    expect(found?.latencyMs).to.deep.equal({ p50: null, p90: null, p99: null, max: null });
  });

  it('cover the time from the request of a fault to its healing, or to the end', () => {
    expect(spanOf({ fault: 'kill' }, run)).to.deep.equal({ fromMs: 2000, untilMs: 2600 });
    expect(spanOf({ fault: 'stays' }, run)).to.deep.equal({ fromMs: 2900, untilMs: Number.POSITIVE_INFINITY });
    expect(spanOf({ fault: 'never' }, run)).to.equal(undefined);
    expect(spanOf({ phase: 'warmup' }, run)).to.equal(undefined);
  });

  const empty: readonly (readonly [what: string, span: Span])[] = [
    ['no user was there', { fromMs: 5000, untilMs: 6000 }],
    ['only the read-back ran', { fromMs: 4000, untilMs: 5000 }],
    ['it has no length', { fromMs: 2000, untilMs: 2000 }],
  ];
  for (const [what, span] of empty) {
    it(`are undefined when ${what}`, () => expect(findingsWithin(run, findings, span)).to.equal(undefined));
  }

  it('exist even if every step was dropped', () => {
    expect(requests({ fromMs: 2999, untilMs: 3000 })).to.deep.equal([1, 0, 0, 0, 1, 1]);
  });
});
