const units: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Parses `65536`, `64KiB`, `1MiB` or `2GiB` to bytes. Undefined for other text. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,12})(KiB|MiB|GiB)?$/.exec(text) ?? [];
  const factor = units[unit];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}

/** Writes a size with the largest unit that divides it: `64KiB`, `1000`. */
export function formatSize(bytes: number): string {
  const fits = Object.entries(units).filter(([, factor]) => bytes >= factor && bytes % factor === 0);
  const [unit, factor] = fits.at(-1) ?? ['', 1];
  return `${bytes / factor}${unit}`;
}
