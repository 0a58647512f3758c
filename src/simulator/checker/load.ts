import {
  eachOutline,
  type FaultRecord,
  type LabRecord,
  type OperationOutline,
  type Operations,
  type RunRecord,
} from '../history/records.js';
import { percentilesOf } from './percentiles.js';
import type { Span } from './verdict/windows.js';

/** The planned operations of a run, as columns: recovery and percentiles read them several times. */
export interface PlannedLoad {
  readonly plannedMs: Float64Array;
  /** Response time: done - planned. NaN when no user waited for an answer, as after a refused connection. */
  readonly latencyMs: Float64Array;
  /** Service time: done - sent. NaN where `latencyMs` is NaN, and for a step that was never sent. */
  readonly serviceMs: Float64Array;
  /** 1 when the outcome is not ok, or the step was dropped. Otherwise 0. */
  readonly failed: Uint8Array;
}

/** A step of the plan that was never sent. */
export interface Drop {
  readonly plannedMs: number;
  /** How long its user had waited when it was dropped. 0 when the history does not say. */
  readonly waitedMs: number;
}

export function dropsOf({ droppedMs = [], droppedWaitMs = [] }: LabRecord): Drop[] {
  return droppedMs.map((plannedMs, i) => ({ plannedMs, waitedMs: droppedWaitMs[i] ?? 0 }));
}

/** Whether an operation belongs to the plan: it is not a replay, a read-back or a second login. */
export function isOfPlan({ kind, final, extra }: OperationOutline): boolean {
  return !(final || extra) && kind !== 'replay';
}

/** Returns the columns of the operations and the dropped steps. It skips replays and the read-back: the lab sends those
 * itself. */
export function loadOf(operations: Operations, drops: readonly Drop[] = []): PlannedLoad {
  const columns = new LoadColumns(operations.length + drops.length);
  eachOutline(operations, operation => columns.add(operation));
  for (const drop of drops) columns.addDrop(drop);
  return columns.load();
}

/** Returns the columns of all the operations of a run, given those of its parts. */
export function joinLoads(loads: readonly PlannedLoad[], drops: readonly Drop[]): PlannedLoad {
  const dropped = new LoadColumns(drops.length);
  for (const drop of drops) dropped.addDrop(drop);
  const all = [...loads, dropped.load()];
  return {
    plannedMs: joinFloats(all.map(({ plannedMs }) => plannedMs)),
    latencyMs: joinFloats(all.map(({ latencyMs }) => latencyMs)),
    serviceMs: joinFloats(all.map(({ serviceMs }) => serviceMs)),
    failed: joinBytes(all.map(({ failed }) => failed)),
  };
}

function joinFloats(columns: readonly Float64Array[]): Float64Array {
  return joinInto(new Float64Array(lengthOf(columns)), columns);
}

function joinBytes(columns: readonly Uint8Array[]): Uint8Array {
  return joinInto(new Uint8Array(lengthOf(columns)), columns);
}

function lengthOf(columns: readonly ArrayLike<number>[]): number {
  return columns.reduce((sum, { length }) => sum + length, 0);
}

function joinInto<Column extends Float64Array | Uint8Array>(whole: Column, columns: readonly Column[]): Column {
  let from = 0;
  for (const column of columns) {
    whole.set(column, from);
    from += column.length;
  }
  return whole;
}

/** Whether its user waited for an answer, so that it has a response time. */
export function hasWaitTime({ outcome, status, error }: OperationOutline): boolean {
  return outcome === 'ok' || status !== undefined || error === 'timeout';
}

/** Fills the columns step by step, up to `lengthMax` steps. */
export class LoadColumns {
  readonly #load: PlannedLoad;
  #count = 0;

  constructor(lengthMax: number) {
    this.#load = {
      plannedMs: new Float64Array(lengthMax),
      latencyMs: new Float64Array(lengthMax),
      serviceMs: new Float64Array(lengthMax),
      failed: new Uint8Array(lengthMax),
    };
  }

  add(operation: OperationOutline): void {
    if (operation.final || operation.kind === 'replay') return;
    const count = this.#count;
    const { plannedMs, doneMs } = operation;
    const isTimed = hasWaitTime(operation);
    this.#load.plannedMs[count] = plannedMs;
    this.#load.latencyMs[count] = isTimed ? doneMs - plannedMs : Number.NaN;
    this.#load.serviceMs[count] = isTimed ? doneMs - operation.sentMs : Number.NaN;
    this.#load.failed[count] = Number(operation.outcome !== 'ok');
    this.#count = count + 1;
  }

  addDrop({ plannedMs, waitedMs }: Drop): void {
    const count = this.#count;
    this.#load.plannedMs[count] = plannedMs;
    this.#load.latencyMs[count] = waitedMs > 0 ? waitedMs : Number.NaN;
    this.#load.serviceMs[count] = Number.NaN;
    this.#load.failed[count] = 1;
    this.#count = count + 1;
  }

  load(): PlannedLoad {
    const { plannedMs, latencyMs, serviceMs, failed } = this.#load;
    return {
      plannedMs: plannedMs.subarray(0, this.#count),
      latencyMs: latencyMs.subarray(0, this.#count),
      serviceMs: serviceMs.subarray(0, this.#count),
      failed: failed.subarray(0, this.#count),
    };
  }
}

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
