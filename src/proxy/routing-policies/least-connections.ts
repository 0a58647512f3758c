import type { Backend } from '../backends.js';
import type { RoutingPolicy } from '../routing-policy.js';

/**
 * Chooses the backend with the fewest requests in flight relative to its share. Ties are broken at random in one pass.
 * Each tied backend replaces the choice with a probability of its share over all shares so far. So each wins in
 * proportion to its share. Several proxies in front of one pool then do not all pick the same backend. An idle pool is
 * also used in proportion.
 */
export function leastConnections(chance: () => number): RoutingPolicy {
  return <B extends Backend>(candidates: readonly B[]): B => {
    let chosen: B | undefined;
    let least = Number.POSITIVE_INFINITY;
    let tied = 0;
    for (const candidate of candidates) {
      const load = candidate.inFlight.size / candidate.share;
      if (load > least) continue;
      tied = load < least ? candidate.share : tied + candidate.share;
      if (load < least || chance() * tied < candidate.share) chosen = candidate;
      least = load;
    }
    if (chosen === undefined) throw new RangeError('least-connections: there is no candidate to choose from');
    return chosen;
  };
}
