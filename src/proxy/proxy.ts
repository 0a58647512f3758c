import { type Affinity, type Binding, type BrokenReason, recheckBinding, unbound } from './affinity/binding.js';
import {
  type AddedHeader,
  type AnswerHead,
  type Exchange,
  type HeaderEdits,
  nothingAdded,
  type Outcome,
} from './exchange.js';
import { buildLastHopAnswer, countHop } from './dispatch/max-forwards.js';
import { buildOverloaded, buildOwnAnswer, type OwnAnswer } from './dispatch/own-answers.js';
import type { Member } from './pool/member.js';
import type { BackendPool } from './pool/pool.js';
import { fitsBudget, mayRetry, needsRetryBudget } from './retry.js';
import type { RoutingPolicy } from './routing-policy.js';
import { RequestTrace, type ServedRequest } from './telemetry/served-request.js';
import type { ProxyMetrics } from './telemetry/metrics.js';

export interface ProxyParts {
  readonly pool: BackendPool;
  readonly policy: RoutingPolicy;
  /** Undefined: affinity is off. Any backend serves any browser, and cookies are not read. */
  readonly affinity: Affinity | undefined;
  readonly metrics: ProxyMetrics;
  /** Whether each answer names the backend that gave it. */
  readonly namesBackends: boolean;
  readonly now: () => number;
  /** Returns the answer to a request that exceeds a limit of its client. Absent: there is no limit. */
  readonly refuseOverLimit?: ((exchange: Exchange) => OwnAnswer | undefined) | undefined;
  /** Returns the id of a request. Absent: requests have none. */
  readonly nameRequest?: ((exchange: Exchange) => string) | undefined;
  /** Called once per request, after its last byte. If it is undefined, nothing is recorded. */
  readonly onServed?: ((request: ServedRequest) => void) | undefined;
}

/** The affinity header of an attempt; most attempts have none. Built once, because every request needs it. */
const noAffinityHeader: HeaderEdits['request'] = { 'holdfast-affinity': undefined };
const affinityHeaders: Readonly<Record<BrokenReason, HeaderEdits['request']>> = {
  down: buildAffinityHeader('down'),
  draining: buildAffinityHeader('draining'),
  expired: buildAffinityHeader('expired'),
  reborn: buildAffinityHeader('reborn'),
  unknown: buildAffinityHeader('unknown'),
  // A forged cookie counts as no cookie.
  forged: noAffinityHeader,
};

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

  #readBinding({ exchange, trace }: RequestState): Binding {
    const { affinity, metrics, now } = this.#parts;
    if (affinity === undefined) return unbound;
    const binding = affinity.readBinding(exchange, now());
    countAffinity(metrics, trace, binding.broken ?? (binding.owner === undefined ? 'none' : 'bound'));
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
    const { binding, trace } = state;
    if (affinity === undefined) return;
    state.binding = recheckBinding(binding);
    if (binding.target !== undefined && state.binding.target === undefined) countAffinity(metrics, trace, 'rebound');
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
  #markLost({ binding, trace }: RequestState, member: Member): Binding {
    if (binding.target !== member) return binding;
    countAffinity(this.#parts.metrics, trace, 'rebound');
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

/** The progress of one exchange. */
class RequestState {
  readonly exchange: Exchange;
  readonly arrivedMs = performance.now();
  readonly tried: Member[] = [];
  readonly trace: RequestTrace | undefined;
  readonly requestId: string | undefined;
  binding = unbound;
  last: Outcome | undefined = undefined;
  /** Its slot at the present backend. */
  slot = -1;
  /** Why it waits no longer for a full backend; undefined: it did not wait, or got a slot. */
  queueEnd: 'full' | 'timeout' | 'abandoned' | undefined = undefined;
  /** A backend may have carried out the request. */
  sent = false;
  /** One retry of this exchange counts against the retry budget. */
  usesBudget = false;

  constructor(exchange: Exchange, traced: boolean, requestId: string | undefined) {
    this.exchange = exchange;
    this.requestId = requestId;
    this.trace = traced ? new RequestTrace(exchange, this.arrivedMs, requestId) : undefined;
  }

  recordAttempt(member: Member, outcome: Outcome): void {
    this.last = outcome;
    this.sent ||= outcome.kind === 'broken-off';
    this.tried.push(member);
    this.trace?.recordTry(member.name, outcome);
  }
}

/** The changes that one attempt makes to the request head and the answer head. */
class AttemptEdits implements HeaderEdits {
  readonly request: HeaderEdits['request'];
  readonly ownCookie: string;
  readonly #parts: ProxyParts;
  readonly #state: RequestState;
  readonly #member: Member;
  readonly #binding: Binding;
  /** The boot that was known when the request was sent. */
  readonly #boot: number;

  constructor(parts: ProxyParts, state: RequestState, member: Member) {
    const { exchange, binding } = state;
    const reason = binding.broken ?? (binding.mustNotify ? 'reborn' : undefined);
    const request = countHop(exchange, reason === undefined ? noAffinityHeader : affinityHeaders[reason]);
    this.request = state.requestId === undefined ? request : { ...request, 'x-request-id': state.requestId };
    this.ownCookie = parts.affinity?.cookieName(exchange) ?? '';
    this.#parts = parts;
    this.#state = state;
    this.#member = member;
    this.#binding = binding;
    this.#boot = member.boot;
  }

  /** Reads the incarnation first: this answer may be the first sign of a new boot. */
  onAnswer(head: AnswerHead): readonly AddedHeader[] {
    const member = this.#member;
    member.learn(head.header('holdfast-incarnation'), this.#boot);
    this.#state.trace?.recordHead(head.status, performance.now());
    const { requestId } = this.#state;
    let added = this.#renew(head);
    if (requestId !== undefined) added = [...added, ['x-request-id', requestId]];
    return this.#parts.namesBackends ? [...added, ...buildBackendHeaders(member)] : added;
  }

  #renew(head: AnswerHead): readonly AddedHeader[] {
    const { affinity, metrics, now } = this.#parts;
    if (affinity === undefined) return nothingAdded;
    const { owner, broken, claims } = this.#binding;
    const bound = claims !== undefined && owner === this.#member && broken === undefined;
    const { exchange, trace } = this.#state;
    if (bound && !owner.isBoot(claims.incarnation, claims.issuedMs)) countAffinity(metrics, trace, 'reborn');
    return affinity.renew(this.#binding, this.#member, exchange, head, now());
  }
}

function buildBackendHeaders({ name, incarnation }: Member): readonly AddedHeader[] {
  return [
    ['holdfast-backend', name],
    ['holdfast-incarnation', incarnation],
  ];
}

function countAffinity(
  metrics: ProxyMetrics,
  trace: RequestTrace | undefined,
  outcome: Parameters<ProxyMetrics['affinity']>[0],
): void {
  metrics.affinity(outcome);
  if (trace !== undefined) trace.affinity = outcome;
}

function buildAffinityHeader(reason: BrokenReason): HeaderEdits['request'] {
  return { 'holdfast-affinity': `broken; reason=${reason}` };
}
