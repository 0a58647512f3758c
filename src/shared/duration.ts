const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

/** As text of a regular expression, without groups or anchors. */
export const durationPattern = String.raw`\d{1,9}(?:\.\d{1,3})?(?:ms|s|min|h)`;

const whole = new RegExp(`^${durationPattern}$`);

/** Reads `500ms`, `2s`, `1.5min`, `8h` as milliseconds; undefined for anything else, a bare number too. */
export function parseDuration(text: string): number | undefined {
  if (!whole.test(text)) return undefined;
  const amount = Number.parseFloat(text);
  const factor = units[text.replace(/^[\d.]+/, '')];
  return factor === undefined ? undefined : Math.round(amount * factor);
}
