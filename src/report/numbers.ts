/** How a report writes numbers, durations and moments, and the round numbers of its axes. */

const grouped = new Intl.NumberFormat('en-US');

/** Formats a number with separators: 1211 -> `1,211`. */
export function count(value: number): string {
  return grouped.format(value);
}

/** Formats a number with its noun: `1 user`, `1,211 users`. */
export function countNoun(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Formats a share: 0.48 -> `48 %`. */
export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

/** Formats milliseconds: `3.1 ms`, `312 ms`, `4.5 s`. Null becomes a dash. */
export function duration(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return '–';
  if (ms >= 999.5) return seconds(ms);
  return ms >= 9.95 || Number.isInteger(ms) ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

/** Formats milliseconds as seconds with one decimal: `0.3 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Formats a moment of the run, exact enough to find it in the history: `2.504 s`. */
export function moment(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}

/** Returns the top of an axis of counts: a round whole number that is at least `value` and not much larger. */
export function roundUp(value: number): number {
  return roundTo(value, [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]);
}

function roundTo(value: number, factors: readonly number[]): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  const candidates = factors.map(factor => Math.round(factor * decade * 10) / 10).filter(Number.isInteger);
  return candidates.find(candidate => candidate >= value) ?? 10 * decade;
}

/** Returns at most nine moments from 0 to `endMs`, at round distances. */
export function timeTicks(endMs: number): readonly number[] {
  const stepMs = roundTo(endMs / 8, [1, 2, 5, 10]);
  return Array.from({ length: Math.floor(endMs / stepMs) + 1 }, (_, index) => index * stepMs);
}

/** Formats a round moment or duration for an axis: `200 ms`, `1.5 s`. */
export function tickText(ms: number): string {
  return ms >= 1000 || ms === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

/** Returns the ends of a logarithmic axis: whole decades, at least two, that include all values. */
export function logRange(least: number | null, most: number | null): [number, number] {
  const low = Math.floor(Math.log10(Math.min(least || 1, 1)));
  const high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(most || 1, 1))));
  return [10 ** low, 10 ** high];
}

export function decades(least: number, most: number): number[] {
  const low = Math.round(Math.log10(least));
  return Array.from({ length: Math.round(Math.log10(most)) - low + 1 }, (_, index) => 10 ** (low + index));
}
