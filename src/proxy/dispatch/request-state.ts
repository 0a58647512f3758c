import { unbound } from '../affinity/binding.js';
import type { Exchange, Outcome } from '../exchange.js';
import type { Member } from '../pool/member.js';
import type { ProxyMetrics } from '../telemetry/metrics.js';
import { RequestTrace } from '../telemetry/served-request.js';

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
