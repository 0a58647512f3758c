import type { RoutingPolicy } from '../routing-policy.js';

export function random(chance: () => number): RoutingPolicy {
  return candidates => {
    const chosen = candidates[Math.floor(chance() * candidates.length)];
    if (chosen === undefined) throw new RangeError('random: there is no candidate to choose from');
    return chosen;
  };
}
