import { LiveHistory } from '#src/live/live-history.js';
import type { CountsView, StrikeState } from '#src/live/protocol.js';
import { check } from '#src/simulator/checker/check.js';
import type { FaultRecord, LabRecord, ListedRun } from '#src/simulator/history/records.js';

export const lab: LabRecord = { type: 'lab', lagMs: { p50: 0, p99: 0, max: 0 }, dropped: 0 };

interface Fact {
  readonly atMs: number;
  readonly tell: (history: LiveHistory) => void;
}

/** Replays a whole run into a live history, in the order of time. Calls `between` after each fact. */
export function tellRun(
  run: ListedRun,
  between: (history: LiveHistory, nowMs: number) => void,
  history = new LiveHistory({ header: run.header }),
): LiveHistory {
  for (const { atMs, tell } of factsOf(run)) {
    tell(history);
    between(history, atMs);
  }
  return history;
}

function factsOf({ operations, faults, phases, members }: ListedRun): Fact[] {
  const facts: Fact[] = [
    ...operations.flatMap(operation => [
      { atMs: operation.sentMs, tell: (history: LiveHistory) => history.sent(operation.user, operation.sentMs) },
      { atMs: operation.doneMs, tell: (history: LiveHistory) => history.operation(operation) },
    ]),
    ...phases.map(phase => ({ atMs: phase.endMs, tell: (history: LiveHistory) => history.phase(phase) })),
    ...members.map(member => ({ atMs: member.atMs, tell: (history: LiveHistory) => history.member(member) })),
    ...faults.flatMap(transitionsOf),
  ];
  return facts.sort((a, b) => a.atMs - b.atMs);
}

/** Returns the transitions of a fault, each with what was known of it then. */
function transitionsOf(fault: FaultRecord): Fact[] {
  const { requestedMs, confirmedMs, healRequestedMs = null, healedMs } = fault;
  const requested = { ...fault, confirmedMs: null, healRequestedMs: null, healedMs: null };
  const confirmed = { ...requested, confirmedMs };
  const healing = { ...confirmed, healRequestedMs };
  const known: [number | null, FaultRecord, StrikeState][] = [
    [requestedMs, requested, 'requested'],
    [confirmedMs, confirmed, 'confirmed'],
    [healRequestedMs, healing, 'healing'],
    [healedMs, { ...healing, healedMs }, 'healed'],
  ];
  return known.flatMap(([atMs, record, state]) =>
    atMs === null ? [] : [{ atMs, tell: (history: LiveHistory) => history.strike(record, state) }],
  );
}

/** Returns the counters that a report shows for the same history. */
export function countsOfReport(run: ListedRun): Omit<CountsView, 'p99Ms'> {
  const { users, writes, requests } = check(run);
  return {
    loggedOut: users.loggedOut,
    exposed: users.exposed,
    acknowledged: writes.acknowledged,
    missing: writes.missing,
    lost: writes.lost,
    failed: requests.failed,
    unknown: requests.unknown,
    swapped: users.identitySwapped,
  };
}

export function countsOf(history: LiveHistory): Omit<CountsView, 'p99Ms'> {
  const { p99Ms: _, ...counts } = history.view(0).counts;
  return counts;
}
