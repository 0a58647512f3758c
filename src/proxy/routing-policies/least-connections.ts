import type { Backend } from '../backends.js';
import type { RoutingPolicy } from '../routing-policy.js';

/**
 * Ties are broken by chance, in one pass: the n-th tied backend replaces the choice with probability 1/n, which
 * leaves each of them equally likely. Several proxies in front of one pool then do not all pick the same backend.
 */
export function leastConnections(chance: () => number): RoutingPolicy {
  return candidates => {
    let chosen: Backend | undefined;
    let ties = 0;
    for (const candidate of candidates) {
      const lead = chosen === undefined ? 1 : chosen.inFlight.size - candidate.inFlight.size;
      if (lead < 0) continue;
      ties = lead > 0 ? 1 : ties + 1;
      if (ties === 1 || chance() * ties < 1) chosen = candidate;
    }
    if (chosen === undefined) throw new RangeError('least-connections: there is no candidate to choose from');
    return chosen;
  };
}
