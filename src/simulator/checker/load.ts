import { type LabRecord, type OperationOutline, type Operations, outlinesOf } from '../history/records.js';

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
export function isOfPlan({ kind, final, extra }: OperationOutline): boolean {
  return !(final || extra) && kind !== 'replay';
}

/** Returns the columns of the operations and of the dropped steps. Replays and the read-back are the lab's own. */
export function loadOf(operations: Operations, drops: readonly Drop[]): Load {
  const columns = new LoadColumns(operations.length + drops.length);
  for (const operation of outlinesOf(operations)) columns.add(operation);
  for (const drop of drops) columns.addDrop(drop);
  return columns.load();
}

/** Returns the values of a column that are times which a user waited. */
export function timedValues(column: Float64Array, { timed }: Load): Float64Array {
  const values = new Float64Array(column.length);
  let count = 0;
  for (let i = 0; i < column.length; i += 1) {
    const value = column[i] ?? Number.NaN;
    if (timed[i] === 1 && !Number.isNaN(value)) values[count++] = value;
  }
  return values.subarray(0, count);
}

function wasWaitedFor({ outcome, status, error }: OperationOutline): boolean {
  return outcome === 'ok' || status !== undefined || error === 'timeout';
}

/** Columns while they are being filled, with room for `lengthMax` steps. */
export class LoadColumns {
  readonly #load: Load;
  #count = 0;

  constructor(lengthMax: number) {
    this.#load = {
      plannedMs: new Float64Array(lengthMax),
      latencyMs: new Float64Array(lengthMax),
      serviceMs: new Float64Array(lengthMax),
      failed: new Uint8Array(lengthMax),
      timed: new Uint8Array(lengthMax),
    };
  }

  add(operation: OperationOutline): void {
    if (operation.final || operation.kind === 'replay') return;
    const count = this.#count;
    this.#load.plannedMs[count] = operation.plannedMs;
    this.#load.latencyMs[count] = operation.doneMs - operation.plannedMs;
    this.#load.serviceMs[count] = operation.doneMs - operation.sentMs;
    this.#load.failed[count] = Number(operation.outcome !== 'ok');
    this.#load.timed[count] = Number(wasWaitedFor(operation));
    this.#count = count + 1;
  }

  addDrop({ plannedMs, waitedMs }: Drop): void {
    const count = this.#count;
    this.#load.plannedMs[count] = plannedMs;
    this.#load.latencyMs[count] = waitedMs;
    this.#load.serviceMs[count] = Number.NaN;
    this.#load.failed[count] = 1;
    this.#load.timed[count] = Number(waitedMs > 0);
    this.#count = count + 1;
  }

  load(): Load {
    const { plannedMs, latencyMs, serviceMs, failed, timed } = this.#load;
    return {
      plannedMs: plannedMs.subarray(0, this.#count),
      latencyMs: latencyMs.subarray(0, this.#count),
      serviceMs: serviceMs.subarray(0, this.#count),
      failed: failed.subarray(0, this.#count),
      timed: timed.subarray(0, this.#count),
    };
  }
}
