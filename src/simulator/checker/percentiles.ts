import type { Percentiles } from './findings.js';

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
