import type { Percentiles } from './findings.js';

/** By nearest rank: each is a value that was measured. Null when nothing was measured. */
export function percentilesOf(measured: Float64Array): Percentiles {
  const values = measured.slice();
  let from = 0;
  const at = (share: number) => {
    const rank = Math.max(0, Math.ceil(share * values.length) - 1);
    select(values, rank, from);
    from = rank;
    return values[rank] ?? null;
  };
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

/**
 * Hoare's selection: afterwards the value of this rank stands where sorting would put it, with nothing greater before
 * and nothing smaller behind. Far cheaper than sorting millions of values for four of them. What stands before `from`
 * is known to be no greater than the rest.
 */
function select(values: Float64Array, rank: number, from: number): void {
  let low = from;
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
