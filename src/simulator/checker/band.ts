import type { FaultRecord, RunRecord } from '../history/records.js';
import type { PlannedLoad } from './load.js';
import { percentilesOf } from './percentiles.js';
import type { Span } from './verdict/windows.js';

/** The normal behaviour before the first fault, and when it was measured. */
export interface Band extends Span {
  /** Number of planned operations that it was measured from. */
  readonly count: number;
  /** Share of those operations that failed, 0 to 1. */
  readonly errorShare: number;
  /** A response time above this is slow: twice the 90th percentile, plus 10 ms for timers and the machine. */
  readonly slowMs: number;
}

/** Returns the band of the baseline phase. Without such a phase it takes everything before the first fault. */
export function bandOf(run: Pick<RunRecord, 'phases' | 'faults'>, load: PlannedLoad): Band {
  const { fromMs, untilMs } = normalTime(run);
  const latencyMs = new Float64Array(load.plannedMs.length);
  let [count, failed] = [0, 0];
  for (let i = 0; i < load.plannedMs.length; i += 1) {
    const plannedMs = load.plannedMs[i] ?? 0;
    if (plannedMs < fromMs || plannedMs >= untilMs) continue;
    latencyMs[count] = load.latencyMs[i] ?? 0;
    failed += load.failed[i] ?? 0;
    count += 1;
  }
  const { p90 } = percentilesOf(latencyMs.subarray(0, count));
  return {
    fromMs,
    untilMs,
    count,
    errorShare: failed / Math.max(1, count),
    slowMs: p90 === null ? Number.POSITIVE_INFINITY : 2 * p90 + 10,
  };
}

function normalTime({ phases, faults }: Pick<RunRecord, 'phases' | 'faults'>): Span {
  const firstMs = faults.reduce((first, { requestedMs }: FaultRecord) => Math.min(first, requestedMs), Infinity);
  const baseline = phases.find(({ phase }) => phase === 'baseline');
  return { fromMs: baseline?.startMs ?? 0, untilMs: Math.min(baseline?.endMs ?? firstMs, firstMs) };
}
