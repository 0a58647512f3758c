import type { Outcome } from './exchange.js';

/** The first try and at most two further backends. */
export const triesMax = 3;

/** Retries in flight after a timeout: this part of the requests in flight at most, but always so many. */
const rationedShare = 0.2;
const rationedMin = 3;

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

/**
 * Whether the retry after this outcome must fit the budget. Servers that are late may all be late, of too much work:
 * each request asked twice would drown them. One that refused, broke off or was found to be down is a lost server,
 * whose requests the others have to take anyway.
 */
export function isRationed(outcome: Outcome): boolean {
  return outcome.kind === 'broken-off' && outcome.reason === 'http_response_timeout';
}

/** Whether one more rationed retry fits. Both numbers are of now; `requests` counts the one that wants to retry. */
export function fitsBudget(inFlight: { readonly retries: number; readonly requests: number }): boolean {
  return inFlight.retries + 1 <= Math.max(rationedMin, rationedShare * inFlight.requests);
}
