import type { RoutingPolicyFactory } from '../routing-policy.js';
import { leastConnections } from './least-connections.js';
import { random } from './random.js';
import { rendezvous } from './rendezvous.js';
import { roundRobin } from './round-robin.js';

/** The keys are the values of `--policy`. Every policy respects the weights. */
export const routingPolicies: Record<string, { readonly summary: string; readonly make: RoutingPolicyFactory }> = {
  'round-robin': {
    summary: 'weighted round robin: one after the other, in proportion to the weights',
    make: roundRobin,
  },
  'least-connections': {
    summary: 'the fewest requests in flight relative to its weight; ties at random',
    make: leastConnections,
  },
  random: { summary: 'a random backend, in proportion to the weights', make: random },
  rendezvous: {
    summary: 'the same backend for the same key; without a key round-robin',
    make: (_chance, keyOf) => rendezvous(keyOf, roundRobin()),
  },
};
