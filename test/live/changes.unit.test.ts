import { expect } from 'chai';
import * as fc from 'fast-check';
import { applyChange, changeBetween, changeToNew, isClockOnly } from '#src/live/changes.js';
import type { MarkView, SideChange, SideView } from '#src/live/protocol.js';
import { madeUpUser, madeUpView, noCounts } from './made-up-views.js';

const few = fc.integer({ min: 0, max: 5 });
const states = fc.constantFrom('in', 'waiting', 'logged-out', 'gone');

function listOf<Entry>(entry: fc.Arbitrary<Entry>, keyOf?: (entry: Entry) => unknown): fc.Arbitrary<Entry[]> {
  return keyOf === undefined
    ? fc.array(entry, { maxLength: 6 })
    : fc.uniqueArray(entry, { maxLength: 6, selector: keyOf });
}

/** Views that are made of few values, so that two of them have much in common. */
const views: fc.Arbitrary<SideView> = fc
  .record({
    mode: fc.constantFrom('sticky', 'redis'),
    stage: fc.constantFrom('starting', 'running', 'failed'),
    problem: fc.constantFrom(undefined, 'no redis-server', 'no port'),
    note: fc.constantFrom(undefined, 'one fault is left out', 'two faults are left out'),
    shopPort: fc.constantFrom(undefined, 4001, 4002),
    nowMs: few,
    counts: few.map(lost => ({ ...noCounts, lost })),
    users: listOf(
      fc.record({ name: few.map(String), state: states, member: fc.constantFrom(null, 'backend-1') }),
      ({ name }) => name,
    ),
    members: listOf(
      fc.record({
        name: few.map(String),
        role: fc.constant('backend' as const),
        state: fc.constantFrom('up', 'dead'),
        sinceMs: few,
        bound: few,
      }),
      ({ name }) => name,
    ),
    strikes: listOf(
      fc.record({
        id: few.map(String),
        fault: fc.constant('kill'),
        target: fc.constant('backend-1'),
        state: fc.constantFrom('requested', 'confirmed'),
        requestedMs: few,
        confirmedMs: fc.constantFrom(null, 3),
        healedMs: fc.constant(null),
        exposed: fc.nat(3),
        before: fc.constant(noCounts),
      }),
      ({ id }) => id,
    ),
    bins: listOf(
      fc.record({ atMs: few, ok: few, failed: few, unknown: few, p50Ms: fc.constant(null), p99Ms: fc.constant(1) }),
      ({ atMs }) => atMs,
    ),
    // Two marks of the same user may be equal.
    marks: listOf(
      fc.record<MarkView>({
        kind: fc.constantFrom('lost', 'logged-out'),
        user: few.map(String),
        sinceMs: few,
        seenMs: few,
      }),
    ),
    offers: listOf(
      fc.record({
        target: few.map(String),
        member: fc.constant('backend-1'),
        faults: fc.constantFrom([], [{ name: 'kill', summary: 'kills it', options: [] }]),
      }),
      ({ target }) => target,
    ),
  })
  .map(({ problem, note, shopPort, ...view }) => ({
    ...view,
    ...(problem !== undefined && { problem }),
    ...(note !== undefined && { note }),
    ...(shopPort !== undefined && { shopPort }),
  }));

const sent = (change: SideChange): SideChange => JSON.parse(JSON.stringify(change));

describe('the change between two views of a side', () => {
  it('turns the first view into the second, also after it was sent as JSON', () => {
    fc.assert(
      fc.property(views, views, (before, after) => {
        expect(applyChange(before, sent(changeBetween(before, after)))).to.deep.equal(after);
      }),
    );
  });

  it('leaves nothing of the first view when a run begins anew', () => {
    fc.assert(
      fc.property(views, views, (before, after) => {
        expect(applyChange(before, sent(changeToNew(after)))).to.deep.equal(after);
      }),
    );
  });

  it('holds the clock alone when nothing else changed', () => {
    fc.assert(
      fc.property(views, few, (view, nowMs) => {
        const change = changeBetween(view, { ...structuredClone(view), nowMs });
        expect(change).to.deep.equal({ nowMs });
        expect(isClockOnly(change)).to.equal(true);
      }),
    );
  });

  it('holds only the users that changed, came or left', () => {
    const before = madeUpView();
    const users = [madeUpUser(2, 'logged-out', 'backend-1'), madeUpUser(3, 'arriving')];
    expect(changeBetween(before, { ...before, users })).to.deep.equal({
      nowMs: 1000,
      users,
      gone: { users: ['user-1'] },
    });
  });

  it('sends a list anew when its order changed', () => {
    const before = madeUpView();
    const users = before.users.toReversed();
    const change = changeBetween(before, { ...before, users });
    expect(change).to.deep.equal({ nowMs: 1000, users, gone: { users: ['user-1', 'user-2'] } });
    expect(applyChange(before, change).users).to.deep.equal(users);
  });
});
