import { type OperationOutline, type Operations, outlinesOf } from '../history/records.js';

/** What users wanted by the plan, as columns: recovery and percentiles go over it several times. */
export interface Load {
  readonly plannedMs: Float64Array;
  /** Response time: done - planned. */
  readonly latencyMs: Float64Array;
  /** Service time: done - sent. */
  readonly serviceMs: Float64Array;
  /** 1 where the outcome is not ok. */
  readonly failed: Uint8Array;
}

/** Whether the plan holds it, and not the lab or the user added it: a replay, the read-back, a login anew. */
export function isOfPlan({ kind, final, extra }: OperationOutline): boolean {
  return !(final || extra) && kind !== 'replay';
}

/** Whether its times count. Replays and the read-back are the lab's own. */
export function isTimed({ kind, final }: OperationOutline): boolean {
  return !final && kind !== 'replay';
}

export function loadOf(operations: Operations): Load {
  const plannedMs = new Float64Array(operations.length);
  const latencyMs = new Float64Array(operations.length);
  const serviceMs = new Float64Array(operations.length);
  const failed = new Uint8Array(operations.length);
  let count = 0;
  for (const operation of outlinesOf(operations)) {
    if (!isTimed(operation)) continue;
    plannedMs[count] = operation.plannedMs;
    latencyMs[count] = operation.doneMs - operation.plannedMs;
    serviceMs[count] = operation.doneMs - operation.sentMs;
    failed[count] = Number(operation.outcome !== 'ok');
    count += 1;
  }
  return {
    plannedMs: plannedMs.subarray(0, count),
    latencyMs: latencyMs.subarray(0, count),
    serviceMs: serviceMs.subarray(0, count),
    failed: failed.subarray(0, count),
  };
}
