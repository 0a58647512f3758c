/** Six standard deviations: of 10,000 bits within 4,700 to 5,300. One in 500 million fair bits lies outside. */
const deviationsMax = 6;

/** The first bit that is set too often or too rarely to be a fair coin; undefined when there is none. */
export function biasedBit(ids: readonly Buffer[]): number | undefined {
  const bits = Math.min(...ids.map(id => id.length)) * 8;
  const ones = new Array<number>(bits).fill(0);
  for (const id of ids) for (let bit = 0; bit < bits; bit++) ones[bit] = (ones[bit] ?? 0) + bitOf(id, bit);
  const farthest = (deviationsMax * Math.sqrt(ids.length)) / 2;
  const found = ones.findIndex(count => Math.abs(count - ids.length / 2) > farthest);
  return found === -1 ? undefined : found;
}

/** How many bits at their beginning the two that are most alike have in common. */
export function sharedBits(ids: readonly Buffer[]): number {
  const sorted = [...ids].sort(Buffer.compare);
  return sorted.slice(1).reduce((most, id, at) => Math.max(most, commonBits(id, sorted[at] ?? id)), 0);
}

function commonBits(one: Buffer, other: Buffer): number {
  const bits = Math.min(one.length, other.length) * 8;
  for (let bit = 0; bit < bits; bit++) if (bitOf(one, bit) !== bitOf(other, bit)) return bit;
  return bits;
}

function bitOf(bytes: Buffer, bit: number): number {
  return ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
}
