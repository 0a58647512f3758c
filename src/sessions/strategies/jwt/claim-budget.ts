import { SessionTooLarge } from '../../errors.js';
import type { SessionData } from '../../session.js';

/** Of the data of a session, which every request carries twice over: there as a cookie, and back when it changes. */
export const claimBytesMax = 1024;

/** The data as a token carries it. Throws `SessionTooLarge` that names the claim which takes the most. */
export function claimsWithin(data: SessionData, bytesMax: number): string {
  const json = JSON.stringify(data);
  const bytes = Buffer.byteLength(json);
  if (bytes <= bytesMax) return json;
  throw new SessionTooLarge(bytes, bytesMax, largestOf(Object.entries(data)));
}

/** Undefined when there is none. */
export function largestOf(parts: readonly (readonly [name: string, value: unknown])[]) {
  return parts
    .map(([name, value]) => ({ name, bytes: Buffer.byteLength(JSON.stringify(value) ?? '') }))
    .toSorted((one, other) => other.bytes - one.bytes)[0];
}
