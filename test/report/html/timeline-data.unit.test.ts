import { expect } from 'chai';
import { type Timeline, timelinesOf } from '#src/report/html/timeline-data.js';
import type { JudgedRun } from '#src/simulator/checker/verdict/verdict.js';
import type { ListedRun, Operation } from '#src/simulator/history/records.js';
import { changed, sampleRun } from '../sample-runs.js';

const sticky = sampleRun({ mode: 'sticky' });

describe('the data of a timeline', () => {
  it('counts every operation once when it was due and once when it ended', () => {
    const { buckets, bucketMs } = timelineOf(sticky);
    const sum = (field: 'planned' | 'ok' | 'failed' | 'unknown') => buckets.reduce((all, one) => all + one[field], 0);
    expect(bucketMs).to.equal(100);
    expect(sum('planned')).to.equal(sticky.run.operations.length);
    expect(sum('ok')).to.equal(sticky.findings.requests.ok);
    expect(sum('failed')).to.equal(sticky.findings.requests.failed);
    expect(sum('unknown')).to.equal(sticky.findings.requests.unknown);
  });

  it('counts a hanging operation when it ended, with its whole response time', () => {
    const late = operation({ plannedMs: 120, sentMs: 121, doneMs: 2120, outcome: 'unknown', error: 'timeout' });
    const { buckets } = timelineOf(only([late, operation({ plannedMs: 110, doneMs: 130 })]));
    expect(buckets[1]).to.include({ planned: 2, ok: 1, unknown: 0, p50: 20, p99: 20, max: 20 });
    expect(buckets[21]).to.include({ planned: 0, unknown: 1, timeouts: 1, p50: 2000 });
    expect(buckets[10]).to.include({ ok: 0, p50: null, p99: null });
  });

  it('counts a dropped operation when it was due', () => {
    const lab = { ...sticky.run.lab, dropped: 3, droppedMs: [120, 199, 7400] };
    const { buckets } = timelineOf(changed(sticky, { run: { lab } }));
    expect(buckets[1]?.dropped).to.equal(2);
    expect(buckets.reduce((all, { dropped }) => all + dropped, 0)).to.equal(3);
  });

  it('counts a user who was logged out several times only once', () => {
    const twice = [
      ...sticky.findings.incidents,
      ...sticky.findings.incidents.map(one => ({ ...one, seenMs: one.seenMs + 900 })),
    ];
    const { buckets } = timelineOf(changed(sticky, { findings: { incidents: twice } }));
    expect(buckets.at(-1)?.loggedOutSoFar).to.equal(sticky.findings.users.loggedOut);
    expect(buckets[0]?.loggedOutSoFar).to.equal(0);
  });

  it('limits the drawn losses and keeps the true count', () => {
    const { losses } = timelineOf(sticky);
    expect(losses.total).to.equal(sticky.findings.writes.lost).and.be.greaterThan(300);
    expect(losses.incidents).to.have.length(300);
    expect(new Set(losses.incidents).size).to.equal(300);
  });

  it('uses wider buckets for a long run', () => {
    const { buckets, bucketMs } = timelineOf(only([operation({ doneMs: 3_600_000 })]));
    expect(bucketMs).to.equal(10_000);
    expect(buckets).to.have.length(360);
    expect(timelineOf(only([operation({ doneMs: 9e7 })])).buckets.length).to.be.at.most(400);
  });

  it('gives all runs one time axis, and ends each process with its own run', () => {
    const longer = only([operation({ doneMs: 30_000 })]);
    const [short, long] = timelinesOf([sticky, longer]);
    expect(short?.endMs).to.equal(30_000).and.equal(long?.endMs);
    expect(short?.buckets.length).to.equal(long?.buckets.length);
    expect(short?.members[0]?.spans.at(-1)?.endMs).to.equal(7500).and.equal(short?.ownEndMs);
  });

  it('extends each state of a process to the next one', () => {
    const backend = timelineOf(sticky).members.find(({ name }) => name === 'backend-2');
    expect(backend?.spans).to.deep.equal([
      { state: 'up', startMs: 0, endMs: 2502 },
      { state: 'dead', startMs: 2502, endMs: 4490 },
      { state: 'up', startMs: 4490, endMs: 7500 },
    ]);
  });

  it('accepts a run in which nothing happened', () => {
    const { buckets, endMs } = timelineOf(changed(only([]), { run: { phases: [], members: [], faults: [] } }));
    expect(buckets).to.have.length(1);
    expect(endMs).to.be.greaterThan(0);
  });
});

function timelineOf(judged: JudgedRun): Timeline {
  const [timeline] = timelinesOf([judged]);
  if (timeline === undefined) throw new Error('one run has one timeline');
  return timeline;
}

function operation(parts: Partial<Operation>): Operation {
  const times = { plannedMs: 0, sentMs: 0, doneMs: 0 };
  return { type: 'operation', id: 1, user: 'ann', kind: 'add', session: 1, ...times, outcome: 'ok', ...parts };
}

function only(operations: ListedRun['operations']) {
  return changed(sticky, { run: { operations, phases: [], members: [], faults: [] }, findings: { incidents: [] } });
}
