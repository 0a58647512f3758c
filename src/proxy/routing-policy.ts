import type { Backend } from './backends.js';
import type { Exchange } from './exchange.js';

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

/** What an exchange is known by; undefined when it has none. */
export type KeyReader = (exchange: Exchange) => string | undefined;

export const hashKeyExpected = 'address, header:<name> or cookie:<name>, for example cookie:connect.sid';

/** A token (RFC 9110 §5.6.2), as names of headers and of cookies are. */
const named = /^(header|cookie):([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})$/;

/** Reads what `--hash-key` says; undefined for anything that is not `hashKeyExpected`. */
export function keyReader(text: string): KeyReader | undefined {
  if (text === 'address') return exchange => exchange.clientAddress || undefined;
  const [, from, name = ''] = named.exec(text) ?? [];
  if (from === 'cookie') return exchange => exchange.cookie(name) || undefined;
  const field = name.toLowerCase();
  return from === 'header' ? exchange => exchange.header(field) || undefined : undefined;
}
