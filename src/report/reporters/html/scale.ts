/** The least of 1, 2, 5, 10, 20, 50 ... that is not below `value`. */
export function roundUp(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map(factor => factor * decade).find(candidate => candidate >= value) ?? 10 * decade;
}

/** Moments at round distances from 0 to `endMs`, at most nine. */
export function timeTicks(endMs: number): readonly number[] {
  const stepMs = roundUp(endMs / 8);
  return Array.from({ length: Math.floor(endMs / stepMs) + 1 }, (_, index) => index * stepMs);
}

/** A logarithmic axis over whole decades, at least two, that holds all values. */
export interface LogScale {
  readonly ticks: readonly number[];
  /** 0 at the lowest tick, 1 at the highest; values below are drawn at the edge. */
  at(value: number): number;
}

export function logScale(values: readonly number[]): LogScale {
  const positive = values.filter(value => value > 0);
  const low = Math.floor(Math.log10(positive.reduce((a, b) => Math.min(a, b), 1)));
  const high = Math.max(low + 2, Math.ceil(Math.log10(positive.reduce((a, b) => Math.max(a, b), 1))));
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)),
    at: value => Math.min(1, Math.max(0, (Math.log10(Math.max(value, 1e-9)) - low) / (high - low))),
  };
}
