import type { RoutingPolicyFactory } from '../routing-policy.js';
import { leastConnections } from './least-connections.js';
import { random } from './random.js';
import { roundRobin } from './round-robin.js';

/** The keys are the names that `--policy` takes. */
export const routingPolicies: Record<string, { readonly summary: string; readonly make: RoutingPolicyFactory }> = {
  'round-robin': { summary: 'the backend whose last turn is longest ago', make: roundRobin },
  'least-connections': {
    summary: 'the backend with the fewest requests in flight; ties by chance',
    make: leastConnections,
  },
  random: { summary: 'any backend, each as likely as the others', make: random },
};
