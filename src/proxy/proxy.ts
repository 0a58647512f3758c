import { type Binding, recheckBinding, unbound } from './affinity/binding.js';
import {
  buildLastHopAnswer,
  buildOverloaded,
  buildOwnAnswer,
  misdirected,
  type OwnAnswer,
} from './dispatch/own-answers.js';
import { AttemptEdits, type ProxyParts, RequestState } from './dispatch/request.js';
import type { Exchange, Outcome } from './exchange.js';
import type { Member } from './pool/member.js';
import { fitsBudget, mayRetry, needsRetryBudget } from './retry.js';
import { RequestTrace } from './telemetry/served-request.js';

/*
 * arrival -> cookie? -> usable? -> that backend  -> full? -> send -> outcome -> retry? -> own answer, if no backend
 *                         else  -> policy among ready ---^     ^                  |        answered
 *                                  backends not tried yet      queue              |
 *                                         ^------------------------------ yes ----+
 */
export class RequestDispatcher {
  readonly #parts: ProxyParts;
  /** Tunnels are not counted. They last for hours, and would make the retry budget too large. */
  readonly #inFlight = { requests: 0, retries: 0 };

  constructor(parts: ProxyParts) {
    this.#parts = parts;
  }

  /** Serves one exchange from arrival to reply. Never rejects. */
  async serve(exchange: Exchange): Promise<void> {
    const { pool, metrics, onServed, nameRequest, refuseOverLimit } = this.#parts;
    const state = new RequestState(exchange, onServed !== undefined, nameRequest?.(exchange));
    const atOnce = refuseOverLimit?.(exchange) ?? buildLastHopAnswer(exchange);
    if (atOnce !== undefined) return this.#answerAtOnce(state, atOnce);
    state.binding = this.#readBinding(state);
    if (!exchange.upgrade) this.#inFlight.requests += 1;
    const entering = this.#enter(state);
    let member = entering instanceof Promise ? await entering : entering;
    while (member !== undefined) {
      const outcome = await exchange.send(member, new AttemptEdits(this.#parts, state, member));
      pool.end(member, state.slot, outcome);
      metrics.attempt(member.name, outcome.kind);
      state.recordAttempt(member, outcome);
      if (!this.#mayRetry(state, member, outcome)) break;
      state.binding = this.#markLost(state, member);
      const again = this.#enter(state);
      member = again instanceof Promise ? await again : again;
      if (member !== undefined) this.#countRetry(state, outcome);
    }
    if (!exchange.upgrade) this.#inFlight.requests -= 1;
    if (state.usesBudget) this.#inFlight.retries -= 1;
    this.#finish(state);
    if (state.trace !== undefined) onServed?.(state.trace.toServedRequest(performance.now()));
  }

  #readBinding(state: RequestState): Binding {
    const { affinity, metrics, now } = this.#parts;
    if (affinity === undefined) return unbound;
    const binding = affinity.readBinding(state.exchange, now());
    state.countAffinity(metrics, binding.broken ?? (binding.owner === undefined ? 'none' : 'bound'));
    return binding;
  }

  /**
   * Chooses a backend and takes one of its slots. Undefined: no backend can take the request. Only a pool with limits
   * needs a promise.
   */
  #enter(state: RequestState): Member | undefined | Promise<Member | undefined> {
    const { pool } = this.#parts;
    if (pool.limited) return this.#waitForSlot(state);
    const member = this.#choose(state);
    if (member !== undefined) state.slot = pool.begin(member, state.exchange);
    return member;
  }

  /** Waits in the queue while the backends that may serve the request are full. */
  async #waitForSlot(state: RequestState): Promise<Member | undefined> {
    const { pool, metrics } = this.#parts;
    const { exchange, tried } = state;
    const sinceMs = performance.now();
    for (;;) {
      const member = this.#choose(state);
      if (member === undefined) return undefined;
      if (member.hasSlot) {
        state.slot = pool.begin(member, exchange);
        return member;
      }
      const { target } = state.binding;
      const result = await pool.queue.wait({ exchange, target, tried, waitedMs: performance.now() - sinceMs });
      if (result.kind === 'again') {
        this.#recheck(state);
        continue;
      }
      metrics.queued(result.kind === 'slot' ? 'served' : result.kind);
      if (result.kind === 'slot') {
        state.slot = result.slot;
        return result.member;
      }
      state.queueEnd = result.kind;
      return undefined;
    }
  }

  /** Decides again about the binding of a request that has waited. */
  #recheck(state: RequestState): void {
    const { affinity, metrics } = this.#parts;
    const { binding } = state;
    if (affinity === undefined) return;
    state.binding = recheckBinding(binding);
    if (binding.target !== undefined && state.binding.target === undefined) state.countAffinity(metrics, 'rebound');
  }

  /** Returns the browser's own backend if it has one. Otherwise the policy chooses. */
  #choose({ exchange, binding, tried }: RequestState): Member | undefined {
    const { pool, policy, affinity } = this.#parts;
    if (binding.target !== undefined) return binding.target;
    if (this.#mustWait(binding)) return undefined;
    const candidates = pool.candidates(tried);
    if (candidates.length === 0) return undefined;
    return affinity?.chooseTemporary(binding, candidates) ?? policy(candidates, exchange);
  }

  #mayRetry({ exchange, binding, tried, usesBudget }: RequestState, member: Member, outcome: Outcome): boolean {
    if (outcome.kind === 'answered') return false;
    const { method, replayable } = exchange;
    const bound = binding.target === member;
    if (!mayRetry({ method, outcome, triesMade: tried.length, replayable, bound })) return false;
    if (usesBudget || !needsRetryBudget(outcome) || fitsBudget(this.#inFlight)) return true;
    this.#parts.metrics.withheldRetry();
    return false;
  }

  #countRetry(state: RequestState, outcome: Outcome): void {
    if (outcome.kind === 'refused' || outcome.kind === 'broken-off') this.#parts.metrics.retry(outcome.kind);
    if (needsRetryBudget(outcome) && !state.usesBudget) {
      state.usesBudget = true;
      this.#inFlight.retries += 1;
    }
  }

  /** Marks the binding as broken when the browser's own backend has just failed. */
  #markLost(state: RequestState, member: Member): Binding {
    const { binding } = state;
    if (binding.target !== member) return binding;
    state.countAffinity(this.#parts.metrics, 'rebound');
    return { ...binding, target: undefined, broken: binding.broken ?? 'down' };
  }

  #mustWait(binding: Binding): boolean {
    return this.#parts.affinity?.mustWait(binding) ?? false;
  }

  #finish(state: RequestState): void {
    const { binding, last, sent, arrivedMs, tried, queueEnd } = state;
    if (queueEnd !== undefined)
      this.#refuse(state, queueEnd === 'abandoned' ? undefined : buildOverloaded(queueEnd, sent));
    else if (last?.kind !== 'answered')
      this.#refuse(state, buildOwnAnswer(this.#mustWait(binding) ? undefined : last, sent));
    // The duration of a tunnel says nothing about response times.
    else if (last.status !== 101)
      this.#parts.metrics.answered(last.status, performance.now() - arrivedMs, tried.at(-1)?.name ?? '');
  }

  /** Answers without a backend. */
  #answerAtOnce(state: RequestState, answer: OwnAnswer): void {
    this.#refuse(state, answer);
    if (state.trace !== undefined) this.#parts.onServed?.(state.trace.toServedRequest(performance.now()));
  }

  #refuse({ exchange, trace, requestId }: RequestState, answer: OwnAnswer | undefined): void {
    if (answer === undefined) return;
    if (trace !== undefined) trace.own = answer;
    this.#parts.metrics.refusedAnswer(answer.status, answer.outcome);
    const headers = requestId === undefined ? answer.headers : { ...answer.headers, 'x-request-id': requestId };
    exchange.refuse(answer.status, answer.reason, headers);
  }
}

type RefuserParts = Pick<ProxyParts, 'metrics' | 'refuseOverLimit' | 'nameRequest' | 'onServed'>;

/** Answers 421 to each request. It stands where a host has no pool. */
export class RequestRefuser {
  readonly #parts: RefuserParts;

  constructor(parts: RefuserParts) {
    this.#parts = parts;
  }

  serve(exchange: Exchange): void {
    const { metrics, refuseOverLimit, nameRequest, onServed } = this.#parts;
    const requestId = nameRequest?.(exchange);
    const answer = refuseOverLimit?.(exchange) ?? misdirected;
    const { status, outcome, reason, headers } = answer;
    metrics.refusedAnswer(status, outcome);
    exchange.refuse(status, reason, requestId === undefined ? headers : { ...headers, 'x-request-id': requestId });
    if (onServed === undefined) return;
    const nowMs = performance.now();
    const trace = new RequestTrace(exchange, nowMs, requestId);
    trace.own = answer;
    onServed(trace.toServedRequest(nowMs));
  }
}
