import type { Exchange } from '../exchange.js';
import { RequestTrace } from '../telemetry/served-request.js';
import { misdirected } from './own-answers.js';
import type { ProxyParts } from './proxy-parts.js';

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
