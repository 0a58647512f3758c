import { type Affinity, type Binding, type BrokenReason, unbound } from './affinity/affinity.js';
import {
  type AddedHeader,
  type AnswerHead,
  type Exchange,
  type HeaderEdits,
  nothingAdded,
  type Outcome,
} from './exchange.js';
import { type OwnAnswer, ownAnswer } from './own-answers.js';
import type { Member } from './pool/member.js';
import type { BackendPool } from './pool/pool.js';
import { fitsBudget, isRationed, mayRetry } from './retry.js';
import type { RoutingPolicy } from './routing-policy.js';
import { RequestTrace, type ServedRequest } from './served-request.js';
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
  /** Called once per request, after its last byte. If it is undefined, nothing is recorded. */
  readonly onServed?: ((request: ServedRequest) => void) | undefined;
}

/** The affinity header of an attempt; most attempts have none. Built once, because every request needs it. */
const tellsNothing: HeaderEdits['request'] = { 'holdfast-affinity': undefined };
const tells: Readonly<Record<BrokenReason, HeaderEdits['request']>> = {
  down: telling('down'),
  draining: telling('draining'),
  expired: telling('expired'),
  reborn: telling('reborn'),
  unknown: telling('unknown'),
  // A forged cookie counts as no cookie.
  forged: tellsNothing,
};

/*
 * arrival -> cookie? -> usable? -> that backend  -> send -> outcome -> retry? -> own answer, if no backend answered
 *                         else  -> policy among ready ------^             |
 *                                  backends not tried yet <---- yes ------+
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
    const { pool, metrics, onServed } = this.#parts;
    const course = new RequestState(exchange, onServed !== undefined);
    course.binding = this.#arrive(course);
    if (!exchange.upgrade) this.#inFlight.requests += 1;
    let member = this.#choose(course);
    while (member !== undefined) {
      const slot = pool.begin(member, exchange);
      const outcome = await exchange.send(member, new AttemptEdits(this.#parts, course, member));
      pool.end(member, slot, outcome);
      metrics.attempt(member.name, outcome.kind);
      course.ended(member, outcome);
      member = this.#mayGoOn(course, outcome) ? this.#another(course, member, outcome) : undefined;
    }
    if (!exchange.upgrade) this.#inFlight.requests -= 1;
    if (course.rationed) this.#inFlight.retries -= 1;
    this.#finish(course);
    if (course.trace !== undefined) onServed?.(course.trace.served(performance.now()));
  }

  #arrive({ exchange, trace }: RequestState): Binding {
    const { affinity, metrics, now } = this.#parts;
    if (affinity === undefined) return unbound;
    const binding = affinity.arrive(exchange, now());
    countAffinity(metrics, trace, binding.broken ?? (binding.owner === undefined ? 'none' : 'bound'));
    return binding;
  }

  /** Returns the browser's own backend if it has one. Otherwise the policy chooses. */
  #choose({ exchange, binding, tried }: RequestState): Member | undefined {
    const { pool, policy } = this.#parts;
    if (binding.owner !== undefined && binding.broken === undefined) return binding.owner;
    if (this.#mustWait(binding)) return undefined;
    const candidates = pool.candidates(tried);
    return candidates.length === 0 ? undefined : policy(candidates, exchange);
  }

  #mayGoOn({ exchange, tried, rationed }: RequestState, outcome: Outcome): boolean {
    if (outcome.kind === 'answered') return false;
    const { method, replayable } = exchange;
    if (!mayRetry({ method, outcome, triesMade: tried.length, replayable })) return false;
    if (rationed || !isRationed(outcome) || fitsBudget(this.#inFlight)) return true;
    this.#parts.metrics.withheldRetry();
    return false;
  }

  #another(course: RequestState, failed: Member, outcome: Outcome): Member | undefined {
    course.binding = this.#lose(course, failed);
    const member = this.#choose(course);
    if (member === undefined) return undefined;
    if (outcome.kind === 'refused' || outcome.kind === 'broken-off') this.#parts.metrics.retry(outcome.kind);
    if (isRationed(outcome) && !course.rationed) {
      course.rationed = true;
      this.#inFlight.retries += 1;
    }
    return member;
  }

  /** Marks the binding as broken when the browser's own backend has just failed. */
  #lose({ binding, trace }: RequestState, member: Member): Binding {
    if (binding.owner !== member || binding.broken !== undefined) return binding;
    countAffinity(this.#parts.metrics, trace, 'rebound');
    return { ...binding, broken: 'down' };
  }

  #mustWait(binding: Binding): boolean {
    return this.#parts.affinity?.mustWait(binding) ?? false;
  }

  #finish(course: RequestState): void {
    const { binding, last, sent, arrivedMs, tried } = course;
    if (last?.kind !== 'answered') this.#refuse(course, ownAnswer(this.#mustWait(binding) ? undefined : last, sent));
    // The duration of a tunnel says nothing about response times.
    else if (last.status !== 101)
      this.#parts.metrics.answered(last.status, performance.now() - arrivedMs, tried.at(-1)?.name ?? '');
  }

  #refuse({ exchange, trace }: RequestState, answer: OwnAnswer | undefined): void {
    if (answer === undefined) return;
    if (trace !== undefined) trace.own = answer;
    this.#parts.metrics.refusedAnswer(answer.status, answer.outcome);
    exchange.refuse(answer.status, answer.reason, answer.headers);
  }
}

/** The progress of one exchange. */
class RequestState {
  readonly exchange: Exchange;
  readonly arrivedMs = performance.now();
  readonly tried: Member[] = [];
  readonly trace: RequestTrace | undefined;
  binding = unbound;
  last: Outcome | undefined = undefined;
  /** A backend may have carried out the request. */
  sent = false;
  /** One retry of this exchange counts against the retry budget. */
  rationed = false;

  constructor(exchange: Exchange, traced: boolean) {
    this.exchange = exchange;
    this.trace = traced ? new RequestTrace(exchange, this.arrivedMs) : undefined;
  }

  ended(member: Member, outcome: Outcome): void {
    this.last = outcome;
    this.sent ||= outcome.kind === 'broken-off';
    this.tried.push(member);
    this.trace?.tried(member.name, outcome);
  }
}

/** The changes that one attempt makes to the request head and the answer head. */
class AttemptEdits implements HeaderEdits {
  readonly request: HeaderEdits['request'];
  readonly ownCookie: string;
  readonly #parts: ProxyParts;
  readonly #course: RequestState;
  readonly #member: Member;
  readonly #binding: Binding;
  /** The boot that was known when the request was sent. */
  readonly #boot: number;

  constructor(parts: ProxyParts, course: RequestState, member: Member) {
    const { exchange, binding } = course;
    const reason = binding.broken ?? (binding.untold ? 'reborn' : undefined);
    this.request = reason === undefined ? tellsNothing : tells[reason];
    this.ownCookie = parts.affinity?.cookieName(exchange) ?? '';
    this.#parts = parts;
    this.#course = course;
    this.#member = member;
    this.#binding = binding;
    this.#boot = member.boot;
  }

  /** Reads the incarnation first: this answer may be the first sign of a new boot. */
  onAnswer(head: AnswerHead): readonly AddedHeader[] {
    const member = this.#member;
    member.learn(head.header('holdfast-incarnation'), this.#boot);
    this.#course.trace?.head(head.status, performance.now());
    const added = this.#renew(head);
    return this.#parts.namesBackends ? [...added, ...nameOf(member)] : added;
  }

  #renew(head: AnswerHead): readonly AddedHeader[] {
    const { affinity, metrics, now } = this.#parts;
    if (affinity === undefined) return nothingAdded;
    const { owner, broken, claims } = this.#binding;
    const bound = claims !== undefined && owner === this.#member && broken === undefined;
    const { exchange, trace } = this.#course;
    if (bound && !owner.isBoot(claims.incarnation, claims.issuedMs)) countAffinity(metrics, trace, 'reborn');
    return affinity.renew(this.#binding, this.#member, exchange, head, now());
  }
}

function nameOf({ name, incarnation }: Member): readonly AddedHeader[] {
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

function telling(reason: BrokenReason): HeaderEdits['request'] {
  return { 'holdfast-affinity': `broken; reason=${reason}` };
}
