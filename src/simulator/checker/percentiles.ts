import type { Percentiles } from './findings.js';

/** Up to this number of values sorting them is cheaper than counting them in buckets. */
const sortedMax = 20_000;

/** Returns percentiles by nearest rank, so that each is a measured value. It skips NaN. Null when nothing was
 * measured. */
export function percentilesOf(measured: Float64Array, sortUpTo = sortedMax): Percentiles {
  const values = measured.length <= sortUpTo ? new SortedValues(measured) : new Buckets(measured);
  const [p50 = null, p90 = null, p99 = null, max = null] = values.valuesAt(
    [0.5, 0.9, 0.99, 1].map(share => Math.max(0, Math.ceil(share * values.count) - 1)),
  );
  return { p50, p90, p99, max };
}

class SortedValues {
  readonly #values: Float64Array;

  constructor(measured: Float64Array) {
    this.#values = measured.filter(value => !Number.isNaN(value)).sort();
  }

  get count(): number {
    return this.#values.length;
  }

  valuesAt(ranks: readonly number[]): (number | undefined)[] {
    return ranks.map(rank => this.#values[rank]);
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

  /** Returns the values that sorting would put at these ranks. */
  valuesAt(ranks: readonly number[]): (number | undefined)[] {
    const places = ranks.map(rank => this.#placeOf(rank));
    const collected = this.#collect(places.map(({ bucket }) => bucket));
    return places.map(({ bucket, rank }) => {
      const values = collected.get(bucket) ?? new Float64Array();
      select(values, rank);
      return values[rank];
    });
  }

  /** Returns the bucket of a rank, and the rank within the bucket. */
  #placeOf(rank: number): { readonly bucket: number; readonly rank: number } {
    let [bucket, before] = [0, 0];
    for (; bucket < this.#counts.length; bucket += 1) {
      const count = this.#counts[bucket] ?? 0;
      if (before + count > rank) break;
      before += count;
    }
    return { bucket, rank: rank - before };
  }

  /** Collects the values of some buckets in one pass. */
  #collect(buckets: readonly number[]): ReadonlyMap<number, Float64Array> {
    const [halves, measured] = [this.#halves, this.#measured];
    const wanted = new Uint8Array(2 ** bucketBits + 1);
    const lists = [...new Set(buckets)].map(bucket => new Float64Array(this.#counts[bucket] ?? 0));
    for (const [i, bucket] of [...new Set(buckets)].entries()) wanted[bucket] = i + 1;
    const ends = lists.map(() => 0);
    for (let i = 0; i < measured.length; i += 1) {
      const list = (wanted[bucketOf(halves[2 * i + 1] ?? 0)] ?? 0) - 1;
      if (list < 0) continue;
      const [values, end] = [lists[list], ends[list] ?? 0];
      if (values !== undefined && end < values.length) values[end] = measured[i] ?? 0;
      ends[list] = end + 1;
    }
    return new Map([...new Set(buckets)].map((bucket, i) => [bucket, lists[i] ?? new Float64Array()]));
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
