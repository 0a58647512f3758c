import type { Backend } from './backends.js';
import type { Exchange } from './exchange.js';

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
export type KeyReader = (exchange: Exchange) => string | undefined;

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
