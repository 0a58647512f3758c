import type { Outcome } from './exchange.js';

/** The first try plus at most two other backends. */
export const triesMax = 3;

/** Retry budget after time-outs: this share of the requests in flight, and never fewer than `budgetMin`. */
const budgetShare = 0.2;
const budgetMin = 3;

/** RFC 9110 §9.2.2. Methods are case-sensitive: `get` is an unknown extension method. */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function isIdempotent(method: string): boolean {
  return idempotentMethods.has(method);
}

/**
 * Whether another backend may be tried after this outcome.
 *
 * `refused` proves that the backend received nothing, so any method may be retried. After `broken-off` the request may
 * have been carried out, so only idempotent methods are retried. A body that is no longer whole cannot be sent again in
 * either case. All other outcomes are final.
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
 * Whether the retry after this outcome counts against the budget. Time-outs may mean that all servers are overloaded,
 * and a retry of every request would overload them further. A backend that refused, broke off or was found down is
 * lost; the others must take its requests anyway.
 */
export function needsRetryBudget(outcome: Outcome): boolean {
  return outcome.kind === 'broken-off' && outcome.reason === 'http_response_timeout';
}

/** Whether one more budgeted retry fits now. `requests` includes the request that wants to retry. */
export function fitsBudget(inFlight: { readonly retries: number; readonly requests: number }): boolean {
  return inFlight.retries + 1 <= Math.max(budgetMin, budgetShare * inFlight.requests);
}
