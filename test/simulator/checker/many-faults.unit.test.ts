import { expect } from 'chai';
import * as fc from 'fast-check';
import { check } from '#src/simulator/checker/check.js';
import { groupsOf, recoveriesOf } from '#src/simulator/checker/recovery.js';
import { UserOperations, wasAnswered } from '#src/simulator/checker/users/operations.js';
import type { ExpectedEffect, FaultRecord, ListedRun, Operation } from '#src/simulator/history/records.js';
import { fault, runOf } from './histories.js';
import { twoProxies } from './struck-runs.js';

const members = ['backend-1', 'backend-2'];
const proxies = ['proxy-1', 'proxy-2'];
const effects: readonly ExpectedEffect[] = [
  { kind: 'silent', member: 'backend-1' },
  { kind: 'silent', member: 'proxy-1' },
  { kind: 'answered', member: 'backend-2' },
  { kind: 'slow', member: 'backend-1', atLeastMs: 50 },
  { kind: 'broken', member: 'backend-1' },
  { kind: 'asked', store: 'redis' },
  { kind: 'keys' },
];

const operations: fc.Arbitrary<Operation[]> = fc
  .array(
    fc.record({
      pauseMs: fc.integer({ min: 0, max: 60 }),
      tookMs: fc.integer({ min: 0, max: 90 }),
      kind: fc.constantFrom('login', 'add', 'read', 'whoami'),
      outcome: fc.constantFrom('ok', 'ok', 'ok', 'fail', 'unknown'),
      backend: fc.constantFrom(undefined, ...members),
      proxy: fc.constantFrom(...proxies),
      session: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 40 },
  )
  .map(all => {
    let sentMs = 0;
    return all.map(({ pauseMs, tookMs, kind, outcome, backend, ...more }, id): Operation => {
      sentMs += pauseMs;
      const times = { plannedMs: sentMs, sentMs, doneMs: sentMs + tookMs };
      const own = { type: 'operation', id, user: 'ann', kind, outcome, ...times, ...more } as const;
      return { ...own, ...(backend !== undefined && { backend }) };
    });
  });
const moments = fc.integer({ min: 0, max: 2500 });

describe('the operations of a user, prepared for many faults', () => {
  it('are around a time when they were in flight in it', () => {
    fc.assert(
      fc.property(operations, moments, moments, (all, fromMs, lastsMs) => {
        const between = { fromMs, untilMs: fromMs + lastsMs };
        const isInFlight = ({ sentMs, doneMs }: Operation) => doneMs >= fromMs && sentMs <= between.untilMs;
        const around = new UserOperations(all).around(between);
        expect(around.filter(isInFlight)).to.deep.equal(all.filter(isInFlight));
      }),
    );
  });

  it('say which member had answered by a time, which showed the cart after it, and when a session was used', () => {
    const path = ({ backend, proxy }: Operation) => `${backend} ${proxy}`;
    const paths = (some: readonly Operation[]) => [...new Set(some.map(path))].sort();
    fc.assert(
      fc.property(operations, moments, (all, ms) => {
        const user = new UserOperations(all);
        const answered = all.filter(wasAnswered);
        const isEarly = ({ doneMs }: Operation) => doneMs <= ms;
        expect(paths(user.firstAnswers.filter(isEarly))).to.deep.equal(paths(answered.filter(isEarly)));
        const isLateRead = ({ kind, sentMs }: Operation) => kind === 'read' && sentMs > ms;
        expect(paths(user.lastReads.filter(isLateRead))).to.deep.equal(paths(answered.filter(isLateRead)));
        for (const session of [1, 2, 3]) {
          const isUsed = answered.some(one => one.session === session && one.sentMs >= ms);
          expect((user.lastUseMs(session) ?? -1) >= ms).to.equal(isUsed);
        }
      }),
    );
  });
});

/** Returns a run of one user with an operation every 10 ms, and so many faults one after the other. */
function runWith(faultsCount: number, onRead: () => void = () => undefined): ListedRun {
  const count = 4_000;
  const operations = Array.from({ length: count }, (_, id): Operation => {
    const sentMs = id * 10;
    return {
      ...{ type: 'operation', id, user: 'ann', session: 1, plannedMs: sentMs, sentMs, doneMs: sentMs + 5 },
      ...{ kind: id === 0 ? 'login' : 'whoami', identity: 'ann', status: 200 },
      ...{ backend: members[id % 2] ?? '', proxy: proxies[id % 2] ?? '' },
      get outcome() {
        onRead();
        return 'ok' as const;
      },
    };
  });
  const everyMs = (count * 10) / (faultsCount + 1);
  const faults = Array.from({ length: faultsCount }, (_, index): FaultRecord => {
    const atMs = (index + 1) * everyMs;
    const expects = effects[index % effects.length] as ExpectedEffect;
    const record = fault(`fault-${index}`, atMs, atMs + 1, atMs + 30);
    return { ...record, target: 'backend-1', healRequestedMs: atMs + 20, expects };
  });
  const run = runOf(operations, { faults });
  return { ...run, header: { ...run.header, system: twoProxies } };
}

describe('a run with many faults', () => {
  it('is judged in about one pass, and not in one for each fault', () => {
    const readsOf = (faultsCount: number) => {
      let reads = 0;
      check(runWith(faultsCount, () => (reads += 1)));
      return reads;
    };
    expect(readsOf(140)).to.be.below(2 * readsOf(7));
  });

  it('counts the load of each recovery once, and finds for each group what it finds for that group alone', () => {
    let passes = 0;
    const column = (times: readonly number[]) => {
      const all = Float64Array.from(times);
      const forEach: Float64Array['forEach'] = see => {
        passes += 1;
        for (const [index, ms] of all.entries()) see(ms, index, all);
      };
      return Object.assign(all, { forEach });
    };
    const times = fc.uniqueArray(fc.integer({ min: 0, max: 60_000 }), { maxLength: 400 });
    fc.assert(
      fc.property(times, fc.array(fc.nat(6_000), { maxLength: 8 }), (planned, pauses) => {
        let atMs = 3_000;
        const faults = pauses.map((pauseMs, index) => {
          atMs += pauseMs + 200;
          return fault(`fault-${index}`, atMs - 150, atMs - 140, atMs - 100);
        });
        const groups = groupsOf({ faults });
        const load = {
          plannedMs: column(planned),
          latencyMs: Float64Array.from(planned, ms => ms % 97),
          serviceMs: Float64Array.from(planned, ms => ms % 97),
          failed: Uint8Array.from(planned, ms => Number(ms % 5 === 0)),
        };
        const band = { fromMs: 0, untilMs: 3_000, count: 20, errorShare: 0.1, slowMs: 80 };
        const loggedOutMs = planned.filter(ms => ms % 50 === 0);
        passes = 0;
        const all = recoveriesOf(groups, load, band, loggedOutMs);
        expect(passes).to.equal(1);
        const alone = groups.map(
          (_, index) => recoveriesOf(groups.slice(index, index + 2), load, band, loggedOutMs)[0],
        );
        expect(all).to.deep.equal(alone);
      }),
    );
  });
});
