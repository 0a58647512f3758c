import { type Affinity, type Binding, type BrokenReason, unbound } from '../affinity/binding.js';
import {
  type AddedHeader,
  type AnswerHead,
  type Exchange,
  type HeaderEdits,
  nothingAdded,
  type Outcome,
} from '../exchange.js';
import type { Member } from '../pool/member.js';
import type { BackendPool } from '../pool/pool.js';
import type { RoutingPolicy } from '../routing-policies.js';
import type { ProxyMetrics } from '../telemetry/metrics.js';
import { RequestTrace, type ServedRequest } from '../telemetry/served-request.js';
import { countHop, type OwnAnswer } from './own-answers.js';

/** Everything that a dispatcher is built from. */
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

/** The progress of one exchange. */
export class RequestState {
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

  /** Counts what became of the browser's affinity, in the metric and in the log. */
  countAffinity(metrics: ProxyMetrics, outcome: Parameters<ProxyMetrics['affinity']>[0]): void {
    metrics.affinity(outcome);
    if (this.trace !== undefined) this.trace.affinity = outcome;
  }
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

/**
 * The changes that one attempt makes to the heads. A field for the backend is a line in the constructor, and a field for
 * the client is a line in `onAnswer`.
 */
export class AttemptEdits implements HeaderEdits {
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
    const state = this.#state;
    if (bound && !owner.isBoot(claims.incarnation, claims.issuedMs)) state.countAffinity(metrics, 'reborn');
    return affinity.renew(this.#binding, this.#member, state.exchange, head, now());
  }
}

function buildBackendHeaders({ name, incarnation }: Member): readonly AddedHeader[] {
  return [
    ['holdfast-backend', name],
    ['holdfast-incarnation', incarnation],
  ];
}

function buildAffinityHeader(reason: BrokenReason): HeaderEdits['request'] {
  return { 'holdfast-affinity': `broken; reason=${reason}` };
}
