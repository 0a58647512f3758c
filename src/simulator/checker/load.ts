import type { LabRecord, Operation } from '../history/records.js';

/** What the plan wanted of the system, as columns: recovery and percentiles go over it several times. */
export interface Load {
  readonly plannedMs: Float64Array;
  /** Response time: done - planned. */
  readonly latencyMs: Float64Array;
  /** Service time: done - sent. NaN for a step that was never sent. */
  readonly serviceMs: Float64Array;
  /** 1 where the outcome is not ok, or the step was dropped. */
  readonly failed: Uint8Array;
  /** 1 where the two times are ones that a user waited. A refused connection has none: it is a failure. */
  readonly timed: Uint8Array;
}

/** A step of the plan that was never sent. */
export interface Drop {
  readonly plannedMs: number;
  /** How long its user had waited when it was dropped. 0 where the history does not say. */
  readonly waitedMs: number;
}

export function dropsOf({ droppedMs = [], droppedWaitMs = [] }: LabRecord): Drop[] {
  return droppedMs.map((plannedMs, i) => ({ plannedMs, waitedMs: droppedWaitMs[i] ?? 0 }));
}

/** Whether the plan holds it: no replay, no read-back, no second login. */
export function isOfPlan({ kind, final, extra }: Operation): boolean {
  return !(final || extra) && kind !== 'replay';
}

/** Returns the columns of the operations and of the dropped steps. Replays and the read-back are the lab's own. */
export function loadOf(operations: Iterable<Operation> & { readonly length: number }, drops: readonly Drop[]): Load {
  const load = emptyLoad(operations.length + drops.length);
  let count = 0;
  for (const operation of operations) {
    if (operation.final || operation.kind === 'replay') continue;
    load.plannedMs[count] = operation.plannedMs;
    load.latencyMs[count] = operation.doneMs - operation.plannedMs;
    load.serviceMs[count] = operation.doneMs - operation.sentMs;
    load.failed[count] = Number(operation.outcome !== 'ok');
    load.timed[count] = Number(wasWaitedFor(operation));
    count += 1;
  }
  for (const { plannedMs, waitedMs } of drops) {
    load.plannedMs[count] = plannedMs;
    load.latencyMs[count] = waitedMs;
    load.serviceMs[count] = Number.NaN;
    load.failed[count] = 1;
    load.timed[count] = Number(waitedMs > 0);
    count += 1;
  }
  return cutTo(load, count);
}

/** Returns the values of a column that are times which a user waited. */
export function timedValues(column: Float64Array, { timed }: Load): Float64Array {
  const values = new Float64Array(column.length);
  let count = 0;
  column.forEach((value, i) => {
    if (timed[i] === 1 && !Number.isNaN(value)) values[count++] = value;
  });
  return values.subarray(0, count);
}

function wasWaitedFor({ outcome, status, error }: Operation): boolean {
  return outcome === 'ok' || status !== undefined || error === 'timeout';
}

function emptyLoad(length: number): Load {
  return {
    plannedMs: new Float64Array(length),
    latencyMs: new Float64Array(length),
    serviceMs: new Float64Array(length),
    failed: new Uint8Array(length),
    timed: new Uint8Array(length),
  };
}

function cutTo({ plannedMs, latencyMs, serviceMs, failed, timed }: Load, count: number): Load {
  return {
    plannedMs: plannedMs.subarray(0, count),
    latencyMs: latencyMs.subarray(0, count),
    serviceMs: serviceMs.subarray(0, count),
    failed: failed.subarray(0, count),
    timed: timed.subarray(0, count),
  };
}
