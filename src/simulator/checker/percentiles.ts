import type { Percentiles } from './findings.js';

/** By nearest rank: each is a value that was measured. All 0 when nothing was measured. Sorts `values` in place. */
export function percentilesOf(values: Float64Array): Percentiles {
  values.sort();
  const at = (share: number) => values[Math.max(0, Math.ceil(share * values.length) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
