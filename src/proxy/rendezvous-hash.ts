import type { Backend } from './backends.js';

/** The seeds of the backends: their identities, hashed once. */
const seeds = new WeakMap<Backend, number>();

/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights after Schindelhauer and Schomaker 2005). Each
 * backend draws a number for the key, and the highest wins. There is no state, so every proxy that knows the same
 * backends chooses the same one, also after a restart. Removing a backend remaps only its own keys. Adding a backend or
 * raising its weight moves keys to it and none between the others. A retry goes to the second highest.
 *
 * Undefined: there are no candidates.
 */
export function chooseByKey<B extends Backend>(key: string, candidates: readonly B[]): B | undefined {
  const hashed = hash(key);
  let chosen: B | undefined;
  let highest = Number.NEGATIVE_INFINITY;
  for (const candidate of candidates) {
    const drawn = draw(hashed, seedOf(candidate), candidate.share);
    if (drawn <= highest) continue;
    chosen = candidate;
    highest = drawn;
  }
  return chosen;
}

function seedOf(backend: Backend): number {
  let seed = seeds.get(backend);
  if (seed === undefined) {
    seed = mix(hash(backend.identity));
    seeds.set(backend, seed);
  }
  return seed;
}

/** Returns -share / ln(u); key and backend determine u in (0, 1). The highest wins in proportion to its share. */
function draw(key: number, seed: number, share: number): number {
  return -share / Math.log((mix(key ^ seed) + 0.5) / 2 ** 32);
}

/** FNV-1a over the UTF-16 units, 32 bits. */
function hash(text: string): number {
  let hashed = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hashed = Math.imul(hashed ^ text.charCodeAt(at), 0x01000193);
  return hashed;
}

/** The finalizer of MurmurHash3: each input bit changes half of the output bits. */
function mix(bits: number): number {
  let mixed = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
