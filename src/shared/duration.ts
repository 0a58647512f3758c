const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

/** The source of a regular expression for a duration, without groups or anchors. */
export const durationPattern = String.raw`\d{1,9}(?:\.\d{1,3})?(?:ms|s|min|h)`;

const whole = new RegExp(`^${durationPattern}$`);

/**
 * Parses `500ms`, `2s`, `1.5min` or `8h` to milliseconds. Undefined for other text, such as a number without a unit.
 */
export function parseDuration(text: string): number | undefined {
  if (!whole.test(text)) return undefined;
  const amount = Number.parseFloat(text);
  const factor = units[text.replace(/^[\d.]+/, '')];
  return factor === undefined ? undefined : Math.round(amount * factor);
}

/** Formats whole milliseconds as `parseDuration` reads them: `250ms`, `2.5s`, `3min`. Fractions are rounded. */
export function formatDuration(ms: number): string {
  const whole = Math.round(ms);
  if (whole < 1000) return `${whole}ms`;
  return whole % 60_000 === 0 ? `${whole / 60_000}min` : `${whole / 1000}s`;
}
