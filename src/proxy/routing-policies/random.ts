import type { Backend } from '../backends.js';
import type { RoutingPolicy } from '../routing-policy.js';

export function random(chance: () => number): RoutingPolicy {
  return <B extends Backend>(candidates: readonly B[]): B => {
    let total = 0;
    for (const { share } of candidates) total += share;
    let rest = chance() * total;
    for (const candidate of candidates) {
      rest -= candidate.share;
      if (rest < 0) return candidate;
    }
    // Sums of fractions are rounded: the last part may end a little before the total.
    const last = candidates.at(-1);
    if (last === undefined) throw new RangeError('random: there is no candidate to choose from');
    return last;
  };
}
