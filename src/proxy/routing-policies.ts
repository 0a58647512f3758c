import type { Backend } from './backends.js';
import type { Exchange } from './exchange.js';
import { chooseByKey } from './rendezvous-hash.js';

/**
 * Chooses one of `candidates`. The list is never empty; all are usable, and none was tried yet for this exchange. In
 * the long run each backend gets exchanges in proportion to its `share`. Does no I/O.
 */
export type RoutingPolicy = <B extends Backend>(candidates: readonly B[], exchange: Exchange) => B;

/**
 * Makes a policy with its own state. `random` returns a number in [0, 1); tests pass their own. `keyOf` is for policies
 * that send the same key to the same backend.
 */
export type RoutingPolicyFactory = (random: () => number, keyOf: KeyReader) => RoutingPolicy;

/** Reads the hash key of an exchange; undefined when it has none. */
type KeyReader = (exchange: Exchange) => string | undefined;

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

interface Turn {
  /** When its next turn is due. One unit of this clock is the time between turns of a backend with share 1. */
  due: number;
  /** The number of its last turn; 0: it had none. */
  last: number;
}

/**
 * Weighted round robin. A backend is due again 1 / `share` after its last turn. The backend due first is chosen. If
 * several are due at the same time, the one that has waited longest is chosen. With equal shares this is plain round
 * robin. The first turn of a backend is due after half an interval, so that the turns of a heavy backend spread around
 * those of light ones.
 *
 * Two simpler ways fail. A position in the list skips or favours a neighbour when the list changes (a failure, a
 * retry). A count of turns floods a returning backend until it has caught up. Here the missed turns of a backend are
 * forgotten: it gets its next turn and no more.
 */
export function roundRobin(): RoutingPolicy {
  const turns = new WeakMap<Backend, Turn>();
  let clock = 0;
  let count = 0;
  return <B extends Backend>(candidates: readonly B[]): B => {
    let chosen: B | undefined;
    let first: Turn | undefined;
    for (const candidate of candidates) {
      const turn = turns.get(candidate) ?? begin(candidate);
      if (turn.due < clock) turn.due = clock;
      if (first !== undefined && !isBefore(turn, first)) continue;
      chosen = candidate;
      first = turn;
    }
    if (chosen === undefined || first === undefined)
      throw new RangeError('round-robin: there is no candidate to choose from');
    clock = first.due;
    first.due += 1 / chosen.share;
    first.last = ++count;
    return chosen;
  };

  function begin(backend: Backend): Turn {
    const turn = { due: clock + 0.5 / backend.share, last: 0 };
    turns.set(backend, turn);
    return turn;
  }
}

function isBefore(one: Turn, other: Turn): boolean {
  return one.due < other.due || (one.due === other.due && one.last < other.last);
}

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

/** Chooses the same backend for the same key (see `chooseByKey`). An exchange without a key goes to `withoutKey`. */
export function rendezvous(keyOf: KeyReader, withoutKey: RoutingPolicy): RoutingPolicy {
  return <B extends Backend>(candidates: readonly B[], exchange: Parameters<RoutingPolicy>[1]): B => {
    const key = keyOf(exchange);
    if (key === undefined) return withoutKey(candidates, exchange);
    const chosen = chooseByKey(key, candidates);
    if (chosen === undefined) throw new RangeError('rendezvous: there is no candidate to choose from');
    return chosen;
  };
}

export const hashKeyExpected = 'address, header:<name> or cookie:<name>, for example cookie:connect.sid';

/** A token (RFC 9110 §5.6.2), like the names of headers and cookies. */
const named = /^(header|cookie):([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})$/;

/** Parses the value of `--hash-key`. Undefined: the value is not one of `hashKeyExpected`. */
export function parseHashKey(text: string): KeyReader | undefined {
  if (text === 'address') return exchange => exchange.clientAddress || undefined;
  const [, from, name = ''] = named.exec(text) ?? [];
  if (from === 'cookie') return exchange => exchange.cookie(name) || undefined;
  const field = name.toLowerCase();
  return from === 'header' ? exchange => exchange.header(field) || undefined : undefined;
}
