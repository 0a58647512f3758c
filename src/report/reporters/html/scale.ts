/** The top of an axis of counts: a round whole number that is not below `value`, and not much above it. */
export function roundUp(value: number): number {
  return rounded(value, [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]);
}

function rounded(value: number, factors: readonly number[]): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  const candidates = factors.map(factor => Math.round(factor * decade * 10) / 10).filter(Number.isInteger);
  return candidates.find(candidate => candidate >= value) ?? 10 * decade;
}

/** Moments at round distances from 0 to `endMs`, at most nine. */
export function timeTicks(endMs: number): readonly number[] {
  const stepMs = rounded(endMs / 8, [1, 2, 5, 10]);
  return Array.from({ length: Math.floor(endMs / stepMs) + 1 }, (_, index) => index * stepMs);
}

/** A round moment or duration as it stands at an axis: `200 ms`, `1.5 s`. */
export function tickText(ms: number): string {
  return ms >= 1000 || ms === 0 ? `${ms / 1000} s` : `${ms} ms`;
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
