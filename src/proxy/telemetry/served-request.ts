import { randomUUID } from 'node:crypto';
import type { OwnAnswer } from '../dispatch/own-answers.js';
import type { AttemptFailure, EngineAnswer, Exchange, Outcome } from '../exchange.js';

/* The record of a served request, and the ids by which it is found. */

/** One request from arrival to reply, as the access log gets it. Durations are milliseconds. */
export interface ServedRequest {
  /** Undefined: it was not received whole. */
  readonly method: string | undefined;
  /** The path without the query. All characters but visible ASCII are percent-encoded. Undefined: none was received. */
  readonly path: string | undefined;
  readonly clientAddress: string;
  readonly secure: boolean;
  /** The protocol of the client. Undefined: HTTP/1.1 or HTTP/1.0. */
  readonly protocol: Exchange['protocol'];
  /** The status that the client got; undefined: the client left first. */
  readonly status: number | undefined;
  /** `answered` by a backend, the proxy's `own` answer, `cut` off in the middle, or `abandoned` by the client. */
  readonly ended: 'answered' | 'own' | 'cut' | 'abandoned';
  /** The backend that answered, or the last one that was tried. */
  readonly backend: string | undefined;
  /** The outcome of the browser's affinity, by the names of the metric; undefined: affinity is off. */
  readonly affinity: string | undefined;
  /** In order; most requests have one. */
  readonly tries: readonly Try[];
  /** Why the proxy sent its own answer. */
  readonly reason: string | undefined;
  /** The id that the proxy gave the request or kept; undefined: ids are off. */
  readonly requestId: string | undefined;
  /** From a valid `traceparent` (W3C Trace Context). */
  readonly traceId: string | undefined;
  readonly host: string | undefined;
  readonly userAgent: string | undefined;
  /** Body bytes, received from the client and sent to it. Undefined: the request was never whole. */
  readonly bytesIn: number | undefined;
  readonly bytesOut: number | undefined;
  /** From arrival to the head of the answer; undefined: no head came. */
  readonly headMs: number | undefined;
  /**
   * From arrival to the end; for an upgrade, to the end of its tunnel. Undefined: the request was never whole, so its
   * arrival is not known.
   */
  readonly totalMs: number | undefined;
}

export interface Try {
  readonly backend: string;
  readonly ended: Outcome['kind'];
  readonly reason?: AttemptFailure;
}

/** Longer paths are cut here. */
const pathCharsMax = 1024;
/** Longer fields are cut here. */
const fieldCharsMax = 256;

/** Records one request while it is served. Created only when there is a log. */
export class RequestTrace {
  affinity: string | undefined;
  own: OwnAnswer | undefined;
  readonly #exchange: Exchange;
  readonly #arrivedMs: number;
  readonly #requestId: string | undefined;
  readonly #tries: Try[] = [];
  #headMs: number | undefined;
  #headStatus: number | undefined;
  /** The engine refused the body. */
  #engineAnswer: Extract<Outcome, { kind: 'abandoned' }>['own'];

  constructor(exchange: Exchange, arrivedMs: number, requestId?: string) {
    this.#exchange = exchange;
    this.#arrivedMs = arrivedMs;
    this.#requestId = requestId;
  }

  recordHead(status: number, nowMs: number): void {
    this.#headStatus = status;
    this.#headMs = nowMs - this.#arrivedMs;
  }

  recordTry(backend: string, outcome: Outcome): void {
    const { kind: ended } = outcome;
    if (outcome.kind === 'abandoned') this.#engineAnswer = outcome.own;
    this.#tries.push('reason' in outcome ? { backend, ended, reason: outcome.reason } : { backend, ended });
  }

  toServedRequest(nowMs: number): ServedRequest {
    const { method, path, clientAddress, secure, protocol } = this.#exchange;
    const last = this.#tries.at(-1);
    return {
      method,
      path: maskPath(path),
      clientAddress,
      secure,
      protocol,
      status: this.own?.status ?? this.#engineAnswer?.status ?? this.#headStatus,
      ended: this.#ended(last),
      backend: last?.backend,
      affinity: this.affinity,
      tries: this.#tries,
      reason: this.own?.reason ?? this.#engineAnswer?.text,
      requestId: this.#requestId,
      traceId: parseTraceId(this.#exchange.header('traceparent')),
      host: maskField(this.#exchange.header('host')),
      userAgent: maskField(this.#exchange.header('user-agent')),
      bytesIn: this.#exchange.bytesIn,
      bytesOut: this.own === undefined || method === 'HEAD' ? this.#exchange.bytesOut : countOwnBytes(this.own),
      headMs: this.#headMs,
      totalMs: nowMs - this.#arrivedMs,
    };
  }

  #ended(last: Try | undefined): ServedRequest['ended'] {
    if (this.own !== undefined || this.#engineAnswer !== undefined) return 'own';
    return last?.ended === 'answered' || last?.ended === 'cut' ? last.ended : 'abandoned';
  }
}

/** Describes a request that never became an exchange. */
export function describeEngineAnswer(answer: EngineAnswer): ServedRequest {
  const { status, text, clientAddress, secure, protocol, method, path } = answer;
  return {
    method,
    path: path === undefined ? undefined : maskPath(path),
    clientAddress,
    secure,
    protocol,
    status,
    ended: 'own',
    backend: undefined,
    affinity: undefined,
    tries: [],
    reason: text,
    requestId: undefined,
    traceId: undefined,
    host: undefined,
    userAgent: undefined,
    bytesIn: undefined,
    bytesOut: undefined,
    headMs: undefined,
    totalMs: undefined,
  };
}

/**
 * Removes what must not be logged. Queries carry tokens, e-mail addresses and searches; so may the user part of an
 * absolute target. Characters other than visible ASCII could control the terminal that shows the log. They could also
 * forge a line of a plain-text log.
 */
export function maskPath(target: string): string {
  const path = target.replace(/[?#].*$/s, '').replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1');
  const plain = path.replace(/[^\x21-\x7e]/g, encodeByte);
  return plain.length > pathCharsMax ? `${plain.slice(0, pathCharsMax)}...` : plain;
}

/** Escapes like `maskPath`, and keeps spaces. */
function maskField(value: string | undefined): string | undefined {
  return value
    ?.slice(0, fieldCharsMax)
    .replace(/[^\x20-\x7e]/g, encodeByte)
    .slice(0, fieldCharsMax);
}

/** An own answer is its reason and a line break. */
function countOwnBytes({ reason }: OwnAnswer): number {
  return Buffer.byteLength(reason) + 1;
}

/** Engines read targets as Latin-1, so one character is one byte. */
function encodeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/** The values of `--request-id`. */
export const requestIdModes = ['off', 'set', 'trust'] as const;
export type RequestIdMode = (typeof requestIdModes)[number];

/** Visible characters without a meaning in logs, shells or HTML. */
const wellFormedId = /^[\w.:=+/-]{1,128}$/;

/** Returns the function that names each request; undefined: requests have no id. `make` makes a new id. */
export function buildRequestNamer(
  mode: RequestIdMode,
  make: () => string = randomUUID,
): ((exchange: Exchange) => string) | undefined {
  if (mode === 'off') return undefined;
  if (mode === 'set') return () => make();
  return exchange => {
    const given = exchange.header('x-request-id');
    return given !== undefined && wellFormedId.test(given) ? given : make();
  };
}

/** W3C Trace Context, section 3.2.2. Version ff is invalid, and only a later version may be longer. */
const traceParent = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(-.*)?$/;

/** Returns the trace id of a valid `traceparent`. */
export function parseTraceId(traceparent: string | undefined): string | undefined {
  const [, version, traceId, more] = traceParent.exec(traceparent ?? '') ?? [];
  return version === '00' && more !== undefined ? undefined : traceId;
}
