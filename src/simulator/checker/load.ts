import {
  eachOutline,
  type FaultRecord,
  type LabRecord,
  type OperationOutline,
  type Operations,
  type RunRecord,
} from '../history/records.js';
import type { Percentiles } from './findings.js';

/** The load of a run as columns, and the numbers over them: the band of the baseline, and percentiles. */

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

/** A span in milliseconds since the start of the run. `untilMs` is not part of it. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
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

/** Up to this number of values sorting them is cheaper than counting them in buckets. */
const sortedMax = 20_000;

/** Returns percentiles by nearest rank, so that each is a measured value. It skips NaN. Null when nothing was
 * measured. */
export function percentilesOf(measured: Float64Array, sortUpTo = sortedMax): Percentiles {
  const values = measured.length <= sortUpTo ? new SortedValues(measured) : new Buckets(measured);
  const at = (share: number) => values.valueAt(Math.max(0, Math.ceil(share * values.count) - 1)) ?? null;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

class SortedValues {
  readonly #values: Float64Array;

  constructor(measured: Float64Array) {
    this.#values = measured.filter(value => !Number.isNaN(value)).sort();
  }

  get count(): number {
    return this.#values.length;
  }

  valueAt(rank: number): number | undefined {
    return this.#values[rank];
  }
}

/** Length of a bucket number. */
const bucketBits = 16;

/**
 * Counts values by their first bits: sign, exponent and the beginning of the fraction. To find the value of a rank, it
 * then selects within one bucket. This is far cheaper than sorting or moving millions of values to find four.
 */
class Buckets {
  readonly #measured: Float64Array;
  /** Each value as two integers. The second one holds its first bits: all machines that run Node are little-endian. */
  readonly #halves: Int32Array;
  readonly #counts = new Uint32Array(2 ** bucketBits);
  /** Number of all values. */
  count = 0;
  /** The bucket of the latest `valueAt`, and its values. */
  #bucket = -1;
  #values = new Float64Array();

  constructor(measured: Float64Array) {
    this.#measured = measured;
    this.#halves = new Int32Array(measured.buffer, measured.byteOffset, measured.length * 2);
    const [halves, counts] = [this.#halves, this.#counts];
    let count = 0;
    for (let i = 0; i < measured.length; i += 1) {
      if (Number.isNaN(measured[i])) continue;
      const bucket = bucketOf(halves[2 * i + 1] ?? 0);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      count += 1;
    }
    this.count = count;
  }

  /** Returns the value that sorting would put at this rank. */
  valueAt(rank: number): number | undefined {
    let [bucket, before] = [0, 0];
    for (; bucket < this.#counts.length; bucket += 1) {
      const count = this.#counts[bucket] ?? 0;
      if (before + count > rank) break;
      before += count;
    }
    if (bucket !== this.#bucket) this.#collect(bucket);
    select(this.#values, rank - before);
    return this.#values[rank - before];
  }

  #collect(bucket: number): void {
    const [halves, measured] = [this.#halves, this.#measured];
    const values = new Float64Array(this.#counts[bucket] ?? 0);
    let count = 0;
    for (let i = 0; i < measured.length; i += 1) {
      if (bucketOf(halves[2 * i + 1] ?? 0) === bucket) values[count++] = measured[i] ?? 0;
    }
    this.#bucket = bucket;
    this.#values = values;
  }
}

/** Returns the bucket of a value from its first 32 bits. A greater value never has a smaller bucket. */
function bucketOf(half: number): number {
  return (half < 0 ? ~half : half ^ 0x8000_0000) >>> (32 - bucketBits);
}

/**
 * Moves the value of this rank to where sorting would put it, by Hoare's selection. No greater value is left before it,
 * and no smaller value after it.
 */
function select(values: Float64Array, rank: number): void {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1] ?? 0;
    let left = low;
    let right = high;
    while (left <= right) {
      while ((values[left] ?? 0) < pivot) left += 1;
      while ((values[right] ?? 0) > pivot) right -= 1;
      if (left <= right) swap(values, left++, right--);
    }
    if (rank <= right) high = right;
    else if (rank >= left) low = left;
    else return;
  }
}

function swap(values: Float64Array, a: number, b: number): void {
  const value = values[a] ?? 0;
  values[a] = values[b] ?? 0;
  values[b] = value;
}
