/** A body up to this length that came with its head leaves with its head, as one text. */
const togetherBytesMax = 8 * 1024;

/** Undefined: it is too long for that, or in pieces. */
export function shortText(parts: readonly Buffer[]): string | undefined {
  const [first] = parts;
  if (first === undefined) return '';
  return parts.length === 1 && first.length <= togetherBytesMax ? first.toString('latin1') : undefined;
}
