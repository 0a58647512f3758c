import type { Backend } from '../backends.js';
import { chooseByKey } from '../rendezvous-hash.js';
import type { KeyReader, RoutingPolicy } from '../routing-policy.js';

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
