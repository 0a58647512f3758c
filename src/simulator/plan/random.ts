import { createHash } from 'node:crypto';

/** Returns numbers in [0, 1), like `Math.random`. */
export type Random = () => number;

/**
 * Makes a stream of random numbers for one purpose, for example `user-3/think`. Streams with different names are
 * independent: an additional draw or an additional stream changes no other stream.
 */
export function randomStream(seed: number, name: string): Random {
  const digest = createHash('sha256').update(`${seed}/${name}`).digest();
  return sfc32(digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8), digest.readInt32LE(12));
}

/** Makes a Small Fast Counter (Doty-Humphrey). Of its 128 bits of state, 32 are a counter, so that no cycle is
 * short. */
function sfc32(first: number, second: number, third: number, start: number): Random {
  let [a, b, c, counter] = [first, second, third, start];
  return () => {
    const result = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return (result >>> 0) / 2 ** 32;
  };
}

/** Draws an exponentially distributed number with this mean, such as a gap of a Poisson process. */
export function drawExponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}

/** The 95th percentile of the standard normal distribution. */
const normalP95 = 1.6448536269514722;

/** Draws a log-normally distributed number with this median and 95th percentile. `median` > 0, `p95` >= `median`. */
export function logNormal(random: Random, median: number, p95: number): number {
  const sigma = Math.log(p95 / median) / normalP95;
  return median * Math.exp(sigma * drawNormal(random));
}

/** Draws a normally distributed number (Box-Muller). It discards the second of the pair, so that every call draws
 * twice. */
function drawNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}

/** Draws one of `items`, all equally likely. Undefined when there are none. */
export function pick<T>(random: Random, items: readonly T[]): T | undefined {
  return items[Math.floor(random() * items.length)];
}

/** Draws one of the keys of `weights`, in proportion to its weight. The weights may have any sum. */
export function pickWeighted<T>(random: Random, weights: readonly (readonly [T, number])[]): T | undefined {
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  let left = random() * total;
  return weights.find(([, weight]) => {
    left -= weight;
    return left < 0;
  })?.[0];
}
