import type { Backend } from './backends.js';
import type { Exchange } from './exchange.js';
import type { KeyReader } from './hash-key.js';

/**
 * Chooses one of `candidates`: never empty, all usable, none tried yet for this exchange. In the long run each gets
 * exchanges in proportion to its `share`. Does no I/O.
 */
export type RoutingPolicy = <B extends Backend>(candidates: readonly B[], exchange: Exchange) => B;

/**
 * Makes a policy with its own state. `random` answers in [0, 1), so that a test can decide what chance does; `keyOf`
 * is for a policy that sends the same key to the same backend.
 */
export type RoutingPolicyFactory = (random: () => number, keyOf: KeyReader) => RoutingPolicy;
