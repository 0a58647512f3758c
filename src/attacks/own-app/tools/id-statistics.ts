import { hash } from 'node:crypto';

/** Judges session ids by statistics. Pure. No statistic can show that ids come from a secure generator. */

export interface IdJudgement {
  /** Number of ids that occur more than once. */
  readonly repeated: number;
  /** An estimate of the unpredictable bits of an id. */
  readonly bits: number;
  /** How an id can be computed from values that an attacker knows. */
  readonly computedFrom?: string | undefined;
}

/** Judges ids in the order in which they were made. `known`: values from which an id could have been computed. */
export function judgeIds(ids: readonly string[], known: readonly string[]): IdJudgement {
  const repeated = ids.length - new Set(ids).size;
  return { repeated, bits: Math.floor(countBits(ids)), computedFrom: findComputed(ids, known) };
}

/** Splits an id into its parts. Some ids have a fixed prefix, a number, or a signature beside the random part. */
function partsOf(id: string): readonly string[] {
  return id.split(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9_-]/);
}

/**
 * Adds the bits of each place of each part. A place has the bits of its most frequent character, and never more than
 * those of an alphabet that explains the part: an id of hexadecimal digits has 4 bits for each.
 */
function countBits(ids: readonly string[]): number {
  const split = ids.map(partsOf);
  const parts = Math.max(...split.map(({ length }) => length));
  let most = 0;
  for (let part = 0; part < parts; part++) most += countPartBits(split.map(each => each[part] ?? ''));
  return most;
}

function countPartBits(texts: readonly string[]): number {
  const alphabet = countAlphabetBits(texts);
  const length = Math.min(...texts.map(text => text.length));
  let bits = 0;
  for (let at = 0; at < length; at++) bits += Math.min(alphabet, estimatePlaceBits(texts.map(text => text.charAt(at))));
  return bits;
}

/** Estimates the bits of one place. Among few ids, chance alone makes one character of a fair place the most frequent. */
function estimatePlaceBits(characters: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const character of characters) counts.set(character, (counts.get(character) ?? 0) + 1);
  if (counts.size === 1) return 0;
  const mostSeen = Math.max(...counts.values()) / characters.length;
  const sumOfSquares = [...counts.values()].reduce((sum, count) => sum + (count / characters.length) ** 2, 0);
  const collision = Math.max(sumOfSquares - 1 / characters.length, 1 / 64);
  // The first estimate suits a skewed place, the second a fair one.
  return mostSeen > 0.5 ? -Math.log2(mostSeen) : -Math.log2(collision);
}

const alphabets: readonly (readonly [RegExp, number])[] = [
  [/^[0-9]*$/, Math.log2(10)],
  [/^[0-9a-f-]*$/i, 4],
  [/^[0-9a-z]*$/, Math.log2(36)],
  [/^[0-9A-Z]*$/, Math.log2(36)],
];

function countAlphabetBits(texts: readonly string[]): number {
  return alphabets.find(([pattern]) => texts.every(text => pattern.test(text)))?.[1] ?? 6;
}

const digests = ['md5', 'sha1', 'sha256'] as const;

/** Finds an id that is a known value, or the digest of one. */
function findComputed(ids: readonly string[], known: readonly string[]): string | undefined {
  const parts = new Set(ids.flatMap(id => [id, ...partsOf(id)]));
  for (const value of known) {
    for (const digest of digests) {
      const made = hash(digest, value, 'hex');
      if (parts.has(made)) return `the ${digest} of "${value}"`;
    }
  }
  return undefined;
}
