import type { Backend } from './backends.js';
import type { Exchange } from './exchange.js';

/** Chooses one of `candidates`: never empty, all usable, none tried yet for this exchange. Does no I/O. */
export type RoutingPolicy = (candidates: readonly Backend[], exchange: Exchange) => Backend;

/** Makes a policy with its own state. `random` answers in [0, 1), so that a test can decide what chance does. */
export type RoutingPolicyFactory = (random: () => number) => RoutingPolicy;
