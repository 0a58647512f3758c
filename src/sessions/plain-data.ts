import { SessionTooLarge } from './errors.js';
import type { SessionData } from './session.js';

export interface PlainData {
  readonly json: string;
  readonly data: SessionData;
}

/** What would be read back of `data`: a copy, and only what JSON can say. Throws `SessionTooLarge` that names the part
 * which takes the most. */
export function plainData(data: SessionData, bytesMax: number): PlainData {
  const json = JSON.stringify(data);
  const bytes = Buffer.byteLength(json);
  if (bytes > bytesMax) throw new SessionTooLarge(bytes, bytesMax, largestOf(Object.entries(data)));
  return { json, data: JSON.parse(json) };
}

/** A copy of `data` with the edit applied; undefined when the edit changed nothing. */
export function editedData(
  data: SessionData,
  edit: (data: SessionData) => void,
  bytesMax: number,
): PlainData | undefined {
  const before = JSON.stringify(data);
  const draft: SessionData = JSON.parse(before);
  edit(draft);
  const after = plainData(draft, bytesMax);
  return after.json === before ? undefined : after;
}

/** Undefined when there is none. */
export function largestOf(parts: readonly (readonly [name: string, value: unknown])[]) {
  return parts
    .map(([name, value]) => ({ name, bytes: Buffer.byteLength(JSON.stringify(value) ?? '') }))
    .toSorted((one, other) => other.bytes - one.bytes)[0];
}
