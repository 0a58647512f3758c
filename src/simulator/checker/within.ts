import { type OperationOutline, outlinesOf, type RunRecord } from '../history/records.js';
import type { Findings, Incident, Percentiles } from './findings.js';
import { isOfPlan, isTimed } from './load.js';
import { percentilesOf } from './percentiles.js';
import type { Span } from './windows.js';

/** What can be counted of a part of a run. */
export interface FindingsWithin {
  readonly users: Pick<Findings['users'], 'total' | 'loggedOut'>;
  readonly writes: Pick<Findings['writes'], 'acknowledged' | 'unknown' | 'lost'>;
  readonly requests: Findings['requests'];
  readonly latencyMs: Percentiles;
  readonly serviceMs: Percentiles;
}

/**
 * The findings of one window: pure, from the history and what was found in the whole of it. Undefined when nothing was
 * planned for the window: then nothing was seen that could be good or bad.
 *
 *   requests, latencies, unknown writes    belong to the window for which the operation was planned
 *   acknowledged and lost writes           to the one in which the write was acknowledged, whenever its loss was seen
 *   users logged out                       to the one in which it was seen; all of them: who did anything in it
 */
export function findingsWithin(run: RunRecord, { incidents }: Findings, span: Span): FindingsWithin | undefined {
  const isWithin = (ms: number): boolean => ms >= span.fromMs && ms < span.untilMs;
  const window = new WindowCounts(isWithin);
  for (const operation of outlinesOf(run.operations)) window.see(operation);
  const requests = window.requests((run.lab.droppedMs ?? []).filter(isWithin).length);
  if (requests.planned === 0) return undefined;
  return {
    users: { total: window.active.size, loggedOut: loggedOutWithin(incidents, isWithin) },
    writes: {
      acknowledged: window.acknowledged,
      unknown: window.unknownAdds,
      lost: incidents.filter(({ kind, sinceMs }) => kind === 'lost' && isWithin(sinceMs)).length,
    },
    requests,
    latencyMs: percentilesOf(Float64Array.from(window.latencyMs)),
    serviceMs: percentilesOf(Float64Array.from(window.serviceMs)),
  };
}

/** Counts while the operations go by: those of a long history do not fit on the heap together. */
class WindowCounts {
  readonly active = new Set<string>();
  readonly latencyMs: number[] = [];
  readonly serviceMs: number[] = [];
  acknowledged = 0;
  unknownAdds = 0;
  readonly #isWithin: (ms: number) => boolean;
  readonly #counts = { ok: 0, fail: 0, unknown: 0 };
  #ofPlan = 0;
  #bad = 0;

  constructor(isWithin: (ms: number) => boolean) {
    this.#isWithin = isWithin;
  }

  see(operation: OperationOutline): void {
    const { kind, outcome, user, plannedMs, doneMs } = operation;
    const [isDue, isDone] = [this.#isWithin(plannedMs), this.#isWithin(doneMs)];
    if (isDue || isDone) this.active.add(user);
    if (isDone && kind === 'add' && outcome === 'ok') this.acknowledged += 1;
    if (isDue) this.#seeDue(operation);
  }

  requests(dropped: number): Findings['requests'] {
    const { ok, fail, unknown } = this.#counts;
    return { planned: this.#ofPlan + dropped, ok, failed: fail, unknown, dropped, bad: this.#bad + dropped };
  }

  #seeDue(operation: OperationOutline): void {
    const { kind, outcome, plannedMs, sentMs, doneMs } = operation;
    this.#counts[outcome] += 1;
    if (kind === 'add' && outcome === 'unknown') this.unknownAdds += 1;
    if (isOfPlan(operation)) {
      this.#ofPlan += 1;
      if (outcome !== 'ok') this.#bad += 1;
    }
    if (!isTimed(operation)) return;
    this.latencyMs.push(doneMs - plannedMs);
    this.serviceMs.push(doneMs - sentMs);
  }
}

function loggedOutWithin(incidents: readonly Incident[], isWithin: (ms: number) => boolean): number {
  const loggedOut = new Set<string>();
  for (const { kind, user, seenMs } of incidents) if (kind === 'logged-out' && isWithin(seenMs)) loggedOut.add(user);
  return loggedOut.size;
}
