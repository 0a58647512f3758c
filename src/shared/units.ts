const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

/** The source of a regular expression for a duration, without groups or anchors. */
export const durationPattern = String.raw`\d{1,9}(?:\.\d{1,3})?(?:ms|s|min|h)`;

const whole = new RegExp(`^${durationPattern}$`);

/**
 * Parses `500ms`, `2s`, `1.5min` or `8h` to milliseconds. Undefined for other text, such as a number without a unit.
 */
export function parseDuration(text: string): number | undefined {
  if (!whole.test(text)) return undefined;
  const amount = Number.parseFloat(text);
  const factor = durationUnits[text.replace(/^[\d.]+/, '')];
  return factor === undefined ? undefined : Math.round(amount * factor);
}

/** Formats whole milliseconds as `parseDuration` reads them: `250ms`, `2.5s`, `3min`. Fractions are rounded. */
export function formatDuration(ms: number): string {
  const whole = Math.round(ms);
  if (whole < 1000) return `${whole}ms`;
  return whole % 60_000 === 0 ? `${whole / 60_000}min` : `${whole / 1000}s`;
}

const sizeUnits: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Parses `65536`, `64KiB`, `1MiB` or `2GiB` to bytes. Undefined for other text. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,12})(KiB|MiB|GiB)?$/.exec(text) ?? [];
  const factor = sizeUnits[unit];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}

/** Writes a size with the largest unit that divides it: `64KiB`, `1000`. */
export function formatSize(bytes: number): string {
  const fits = Object.entries(sizeUnits).filter(([, factor]) => bytes >= factor && bytes % factor === 0);
  const [unit, factor] = fits.at(-1) ?? ['', 1];
  return `${bytes / factor}${unit}`;
}
