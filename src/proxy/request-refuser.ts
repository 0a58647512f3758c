import type { Exchange } from './exchange.js';
import { misdirected } from './own-answers.js';
import { RequestTrace, type ServedRequest } from './served-request.js';
import type { ProxyMetrics } from './telemetry/metrics.js';

/** Answers 421 to each request. It stands where a host has no pool. */
export class RequestRefuser {
  readonly #metrics: ProxyMetrics;
  readonly #onServed: ((request: ServedRequest) => void) | undefined;

  constructor(metrics: ProxyMetrics, onServed: ((request: ServedRequest) => void) | undefined) {
    this.#metrics = metrics;
    this.#onServed = onServed;
  }

  serve(exchange: Exchange): void {
    const { status, outcome, reason, headers } = misdirected;
    this.#metrics.refusedAnswer(status, outcome);
    exchange.refuse(status, reason, headers);
    if (this.#onServed === undefined) return;
    const nowMs = performance.now();
    const trace = new RequestTrace(exchange, nowMs);
    trace.own = misdirected;
    this.#onServed(trace.toServedRequest(nowMs));
  }
}
