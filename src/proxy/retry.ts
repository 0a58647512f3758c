import type { Outcome } from './exchange.js';

/** The first try and at most two further backends. */
export const triesMax = 3;

/** RFC 9110 §9.2.2. Methods are case-sensitive: `get` is an extension method of which nothing is known. */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function isIdempotent(method: string): boolean {
  return idempotentMethods.has(method);
}

/**
 * Whether another backend may be tried after this outcome.
 *
 * `refused` proves that the backend saw nothing, so any method may go elsewhere. After `broken-off` the request may
 * have been carried out, so only what may be carried out twice goes elsewhere. A body that is no longer whole cannot
 * be sent again in either case. Everything else has been answered, or nobody waits.
 */
export function mayRetry(attempt: {
  readonly method: string;
  readonly outcome: Outcome;
  readonly triesMade: number;
  readonly replayable: boolean;
}): boolean {
  if (attempt.triesMade >= triesMax || !attempt.replayable) return false;
  if (attempt.outcome.kind === 'refused') return true;
  return attempt.outcome.kind === 'broken-off' && isIdempotent(attempt.method);
}
