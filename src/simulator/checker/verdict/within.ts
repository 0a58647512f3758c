import { eachOutline, type OperationOutline, type RunRecord } from '../../history/records.js';
import type { Findings, Incident, Percentiles } from '../findings.js';
import { dropsOf, isOfPlan, LoadColumns } from '../load.js';
import { percentilesOf } from '../percentiles.js';
import type { Span } from './windows.js';

/** The findings that can be counted in a part of a run. */
export interface FindingsWithin {
  readonly users: Pick<Findings['users'], 'total' | 'loggedOut'>;
  readonly writes: Pick<Findings['writes'], 'acknowledged' | 'unknown' | 'lost'>;
  readonly requests: Findings['requests'];
  readonly latencyMs: Percentiles;
  readonly serviceMs: Percentiles;
  readonly members: Pick<Findings['members'], 'answered'>;
}

/**
 * Returns the findings of one window, from the history and the findings of the whole run. Pure. Undefined when nothing
 * was planned in the window: it then shows nothing, good or bad.
 *
 *   requests, latencies, unknown writes    count in the window for which the operation was planned
 *   acknowledged and lost writes           count in the window of the acknowledgement, whenever the loss was seen
 *   answers of a member                    count in the window in which they ended
 *   users logged out                       count in the window in which the logout was seen
 *   all users                              count in each window in which an operation of theirs was planned or ended
 */
export function findingsWithin(run: RunRecord, findings: Findings, span: Span): FindingsWithin | undefined {
  const { incidents } = findings;
  const isWithin = (ms: number): boolean => ms >= span.fromMs && ms < span.untilMs;
  const drops = dropsOf(run.lab).filter(({ plannedMs }) => isWithin(plannedMs));
  const window = new WindowCounts(isWithin, findings, run.operations.length + drops.length);
  eachOutline(run.operations, operation => window.see(operation));
  const requests = window.requests(drops.length);
  if (requests.planned === 0) return undefined;
  for (const drop of drops) window.columns.addDrop(drop);
  const load = window.columns.load();
  return {
    users: { total: window.active.size, loggedOut: loggedOutWithin(incidents, isWithin) },
    writes: {
      acknowledged: window.acknowledged,
      unknown: window.unknownAdds,
      lost: incidents.filter(({ kind, sinceMs }) => kind === 'lost' && isWithin(sinceMs)).length,
    },
    requests,
    latencyMs: percentilesOf(load.latencyMs),
    serviceMs: percentilesOf(load.serviceMs),
    members: { answered: window.answered },
  };
}

/** Counts the operations one at a time: those of a long history do not fit on the heap together. */
class WindowCounts {
  readonly active = new Set<string>();
  readonly answered: Record<string, number>;
  readonly columns: LoadColumns;
  acknowledged = 0;
  unknownAdds = 0;
  readonly #isWithin: (ms: number) => boolean;
  readonly #outcomes = { ok: 0, fail: 0, unknown: 0 };
  #ofPlan = 0;
  #bad = 0;

  constructor(isWithin: (ms: number) => boolean, { members }: Findings, lengthMax: number) {
    this.#isWithin = isWithin;
    this.answered = Object.fromEntries(Object.keys(members.answered).map(name => [name, 0]));
    this.columns = new LoadColumns(lengthMax);
  }

  see(operation: OperationOutline): void {
    const isDue = this.#isWithin(operation.plannedMs);
    const isDone = this.#isWithin(operation.doneMs);
    if (isDue || isDone) this.active.add(operation.user);
    if (isDue) this.#seeDue(operation);
    if (isDone && operation.outcome === 'ok') this.#seeAnswered(operation);
  }

  requests(dropped: number): Findings['requests'] {
    const { ok, fail, unknown } = this.#outcomes;
    return { planned: this.#ofPlan + dropped, ok, failed: fail, unknown, dropped, bad: this.#bad + dropped };
  }

  #seeDue(operation: OperationOutline): void {
    const { kind, outcome } = operation;
    this.#outcomes[outcome] += 1;
    if (kind === 'add' && outcome === 'unknown') this.unknownAdds += 1;
    if (isOfPlan(operation)) {
      this.#ofPlan += 1;
      if (outcome !== 'ok') this.#bad += 1;
    }
    this.columns.add(operation);
  }

  #seeAnswered({ kind, backend, proxy }: OperationOutline): void {
    if (kind === 'add') this.acknowledged += 1;
    for (const member of [backend, proxy]) {
      if (member !== undefined) this.answered[member] = (this.answered[member] ?? 0) + 1;
    }
  }
}

function loggedOutWithin(incidents: readonly Incident[], isWithin: (ms: number) => boolean): number {
  const loggedOut = new Set<string>();
  for (const { kind, user, seenMs } of incidents) if (kind === 'logged-out' && isWithin(seenMs)) loggedOut.add(user);
  return loggedOut.size;
}
