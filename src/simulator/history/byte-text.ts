/** A text of at least four bytes, prepared for comparing four bytes at a time. */
export interface ByteText {
  readonly words: Int32Array;
  /** The last four bytes. */
  readonly last: number;
  readonly length: number;
}

/** Prepares an ASCII text of at least four characters. */
export function toByteText(text: string): ByteText {
  const bytes = Buffer.from(text, 'latin1');
  const words = Int32Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readInt32LE(4 * i));
  return { words, last: bytes.readInt32LE(bytes.length - 4), length: bytes.length };
}

/** Whether the bytes at `at` are the text. `view` must be long enough. */
export function matchesAt(view: DataView, at: number, { words, last, length }: ByteText): boolean {
  for (let i = 0; i < words.length; i += 1) if (view.getInt32(at + 4 * i, true) !== words[i]) return false;
  return view.getInt32(at + length - 4, true) === last;
}

/** Whether two ranges of bytes are equal. */
export function areEqual(a: DataView, atA: number, b: DataView, atB: number, length: number): boolean {
  let i = 0;
  for (; i + 4 <= length; i += 4) if (a.getInt32(atA + i, true) !== b.getInt32(atB + i, true)) return false;
  for (; i < length; i += 1) if (a.getUint8(atA + i) !== b.getUint8(atB + i)) return false;
  return true;
}
