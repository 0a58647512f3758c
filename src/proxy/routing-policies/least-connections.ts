import type { Backend } from '../backends.js';
import type { RoutingPolicy } from '../routing-policy.js';

/**
 * Fewest in flight for its share. Ties are broken by chance, in one pass: each tied backend replaces the choice with
 * its part of all the shares seen so far, which leaves each as likely as its share is large. Several proxies in front of
 * one pool then do not all pick the same backend, and an idle pool is used in proportion too.
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
