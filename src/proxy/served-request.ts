import type { AttemptFailure, Exchange, Outcome } from './exchange.js';
import type { OwnAnswer } from './own-answers.js';

/** One request from arrival to reply, as it is told to whoever keeps a log. Durations are milliseconds. */
export interface ServedRequest {
  readonly method: string;
  /** Without the query, and nothing but visible ASCII: whatever else there was is percent-encoded. */
  readonly path: string;
  readonly clientAddress: string;
  readonly secure: boolean;
  /** What the client was told; undefined: nothing, it left first. */
  readonly status: number | undefined;
  /** `answered` by a backend, by the proxy its `own`, `cut` off in the middle, or `abandoned` by the client. */
  readonly ended: 'answered' | 'own' | 'cut' | 'abandoned';
  /** The backend whose answer it was, or the last one that was tried. */
  readonly backend: string | undefined;
  /** What became of the browser's affinity, in the words of the metric; undefined: affinity is off. */
  readonly affinity: string | undefined;
  /** In order; one is the rule. */
  readonly tries: readonly Try[];
  /** Why the proxy answered itself. */
  readonly reason: string | undefined;
  /** From arrival to the head of the answer; undefined when none came. */
  readonly headMs: number | undefined;
  /** From arrival to the end; of an upgrade, to the end of its tunnel. */
  readonly totalMs: number;
}

export interface Try {
  readonly backend: string;
  readonly ended: Outcome['kind'];
  readonly reason?: AttemptFailure;
}

/** A path is told up to here. */
const pathCharsMax = 1024;

/** Collects what is told of one request while it is served. Made only when somebody is told. */
export class RequestTrace {
  affinity: string | undefined;
  own: OwnAnswer | undefined;
  readonly #exchange: Exchange;
  readonly #arrivedMs: number;
  readonly #tries: Try[] = [];
  #headMs: number | undefined;
  #headStatus: number | undefined;

  constructor(exchange: Exchange, arrivedMs: number) {
    this.#exchange = exchange;
    this.#arrivedMs = arrivedMs;
  }

  head(status: number, nowMs: number): void {
    this.#headStatus = status;
    this.#headMs = nowMs - this.#arrivedMs;
  }

  tried(backend: string, outcome: Outcome): void {
    const { kind: ended } = outcome;
    this.#tries.push('reason' in outcome ? { backend, ended, reason: outcome.reason } : { backend, ended });
  }

  served(nowMs: number): ServedRequest {
    const { method, path, clientAddress, secure } = this.#exchange;
    const last = this.#tries.at(-1);
    return {
      method,
      path: tellable(path),
      clientAddress,
      secure,
      status: this.own?.status ?? this.#headStatus,
      ended: this.#ended(last),
      backend: last?.backend,
      affinity: this.affinity,
      tries: this.#tries,
      reason: this.own?.reason,
      headMs: this.#headMs,
      totalMs: nowMs - this.#arrivedMs,
    };
  }

  #ended(last: Try | undefined): ServedRequest['ended'] {
    if (this.own !== undefined) return 'own';
    return last?.ended === 'answered' || last?.ended === 'cut' ? last.ended : 'abandoned';
  }
}

/**
 * Queries carry tokens, e-mail addresses and what people search for; so may the user part of an absolute target. What
 * is no visible ASCII could steer the terminal that shows the log, or forge a line of one that is kept as plain text.
 */
export function tellable(target: string): string {
  const path = target.replace(/[?#].*$/s, '').replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1');
  const plain = path.replace(/[^\x21-\x7e]/g, byteEncoded);
  return plain.length > pathCharsMax ? `${plain.slice(0, pathCharsMax)}...` : plain;
}

/** Engines read targets as Latin-1: one character is one byte. */
function byteEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
