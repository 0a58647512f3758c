import type { Operation, RunRecord } from '../history/records.js';
import type { Findings, Incident, Percentiles } from './findings.js';
import { dropsOf, isOfPlan, loadOf, timedValues } from './load.js';
import { percentilesOf } from './percentiles.js';
import type { Span } from './windows.js';

/** What can be counted of a part of a run. */
export interface FindingsWithin {
  readonly users: Pick<Findings['users'], 'total' | 'loggedOut'>;
  readonly writes: Pick<Findings['writes'], 'acknowledged' | 'unknown' | 'lost'>;
  readonly requests: Findings['requests'];
  readonly latencyMs: Percentiles;
  readonly serviceMs: Percentiles;
  readonly members: Pick<Findings['members'], 'answered'>;
}

/**
 * The findings of one window: pure, from the history and what was found in the whole of it. Undefined when nothing was
 * planned for the window: then nothing was seen that could be good or bad.
 *
 *   requests, latencies, unknown writes    belong to the window for which the operation was planned
 *   acknowledged and lost writes           to the one in which the write was acknowledged, whenever its loss was seen
 *   answers of a member                    to the one in which they ended
 *   users logged out                       to the one in which it was seen; all of them: who did anything in it
 */
export function findingsWithin(run: RunRecord, findings: Findings, span: Span): FindingsWithin | undefined {
  const { incidents } = findings;
  const isWithin = (ms: number): boolean => ms >= span.fromMs && ms < span.untilMs;
  const due = run.operations.filter(({ plannedMs }) => isWithin(plannedMs));
  const drops = dropsOf(run.lab).filter(({ plannedMs }) => isWithin(plannedMs));
  const requests = requestsOf(due, drops.length);
  if (requests.planned === 0) return undefined;
  const load = loadOf(due, drops);
  const { total, loggedOut } = usersOf(run.operations, incidents, isWithin);
  return {
    users: { total, loggedOut },
    writes: {
      acknowledged: count(run.operations, add => isAdd(add, 'ok') && isWithin(add.doneMs)),
      unknown: count(due, add => isAdd(add, 'unknown')),
      lost: count(incidents, ({ kind, sinceMs }) => kind === 'lost' && isWithin(sinceMs)),
    },
    requests,
    latencyMs: percentilesOf(timedValues(load.latencyMs, load)),
    serviceMs: percentilesOf(timedValues(load.serviceMs, load)),
    members: { answered: answeredIn(run.operations, findings, isWithin) },
  };
}

function requestsOf(due: readonly Operation[], dropped: number): Findings['requests'] {
  const ofPlan = due.filter(isOfPlan);
  return {
    planned: ofPlan.length + dropped,
    ok: count(due, ({ outcome }) => outcome === 'ok'),
    failed: count(due, ({ outcome }) => outcome === 'fail'),
    unknown: count(due, ({ outcome }) => outcome === 'unknown'),
    dropped,
    bad: count(ofPlan, ({ outcome }) => outcome !== 'ok') + dropped,
  };
}

function usersOf(
  operations: readonly Operation[],
  incidents: readonly Incident[],
  isWithin: (ms: number) => boolean,
): { total: number; loggedOut: number } {
  const active = new Set<string>();
  for (const { user, plannedMs, doneMs } of operations) if (isWithin(plannedMs) || isWithin(doneMs)) active.add(user);
  const loggedOut = new Set<string>();
  for (const { kind, user, seenMs } of incidents) if (kind === 'logged-out' && isWithin(seenMs)) loggedOut.add(user);
  return { total: active.size, loggedOut: loggedOut.size };
}

function answeredIn(
  operations: readonly Operation[],
  { members }: Findings,
  isWithin: (ms: number) => boolean,
): Record<string, number> {
  const answered = Object.fromEntries(Object.keys(members.answered).map(name => [name, 0]));
  for (const { outcome, doneMs, backend, proxy } of operations) {
    if (outcome !== 'ok' || !isWithin(doneMs)) continue;
    for (const member of [backend, proxy]) if (member !== undefined) answered[member] = (answered[member] ?? 0) + 1;
  }
  return answered;
}

function isAdd({ kind, outcome }: Operation, wanted: Operation['outcome']): boolean {
  return kind === 'add' && outcome === wanted;
}

function count<T>(all: readonly T[], isCounted: (one: T) => boolean): number {
  let times = 0;
  for (const one of all) if (isCounted(one)) times += 1;
  return times;
}
