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
