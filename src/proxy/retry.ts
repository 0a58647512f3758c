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
 *
 * `bound`: the backend of this attempt holds the browser's session. Then only an outcome that `losesBackend` allows
 * another backend.
 */
export function mayRetry(attempt: {
  readonly method: string;
  readonly outcome: Outcome;
  readonly triesMade: number;
  readonly replayable: boolean;
  readonly bound: boolean;
}): boolean {
  const { method, outcome, triesMade, replayable, bound } = attempt;
  if (triesMade >= triesMax || !replayable) return false;
  if (bound && !losesBackend(outcome)) return false;
  if (outcome.kind === 'refused') return true;
  return outcome.kind === 'broken-off' && isIdempotent(method);
}

/**
 * Whether the backend is lost: a connection to it failed, or a check has marked it down. A backend that is slow, or gave
 * a malformed answer, is still there and still holds its sessions.
 */
export function losesBackend(outcome: Outcome): boolean {
  if (outcome.kind === 'refused') return true;
  if (outcome.kind !== 'broken-off') return false;
  return outcome.reason === 'connection_terminated' || outcome.reason === 'marked_down';
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
