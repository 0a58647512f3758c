import { Inconclusive } from './errors.js';
import type { BrowserAnswer } from './tools/browser.js';
import type { AttackExchange } from './tools/exchange.js';
import type { Target } from './tools/target.js';
import type { WeakVariantName } from './weak-variants.js';

/**
 * One way to break into the sessions of a running system. It sees the system over HTTP alone, and can kill a backend.
 * Implementations: `attacks/registry.ts`.
 *
 * `run` shows first that the honest user can do the thing (a dead system resists everything), then tries. What it cannot
 * carry out it rejects with `Inconclusive`; that is never taken for resistance. It uses users of its own
 * (`target.freshUser()`), since others run beside it.
 */
export interface Attack {
  /** One line, for the table and the evidence. */
  readonly title: string;
  /** Requirements of OWASP ASVS 5.0.0 that it is evidence for, such as `7.4.1`; or `RFC 9700`. */
  readonly asvs: readonly string[];
  /** The weak variants in which it must be seen to succeed, at least one: what cannot succeed proves nothing. */
  readonly weak: readonly WeakVariantName[];
  /** It needs sessions that end while it waits: a system with the limits of `shortLimits`. */
  readonly shortLimits?: true;
  /** It strikes everyone (kills a backend, ends everyone's sessions), so nothing else runs beside it. */
  readonly alone?: true;
  run(target: Target): Promise<AttackResult>;
}

export type AttackResult =
  | {
      readonly outcome: 'resisted';
      /** How many times the system was tried; never 0. */
      readonly tries: number;
      /** For so long what had been ended was still honoured; at most what the mode states. */
      readonly lagMs?: number;
    }
  | {
      readonly outcome: 'succeeded';
      readonly tries: number;
      /** What went through that should not have. */
      readonly reason: string;
      /** What proves it. */
      readonly exchanges: readonly AttackExchange[];
    }
  | { readonly outcome: 'not applicable'; readonly reason: string };

export function notApplicable(reason: string): AttackResult {
  return { outcome: 'not applicable', reason };
}

/** What shows a try: an answer, or an exchange that is put together. */
type Shown = Pick<BrowserAnswer, 'exchange'> & { readonly status?: number };

/**
 * What an attack has tried so far. The first try that went through is the one that is shown. A try that was not refused
 * as it should be, because the system was down or looked at something else, is no resistance: unless another went
 * through, the whole attack is inconclusive then.
 */
export class Tries {
  #count = 0;
  #lagMs: number | undefined;
  #unclear: string | undefined;
  #success: { readonly reason: string; readonly exchanges: readonly AttackExchange[] } | undefined;

  /** One try: what was attempted, whether it went through, and the exchanges that show it. */
  add(what: string, wentThrough: boolean, ...answers: readonly Shown[]): void {
    this.addMany(1, what, wentThrough, ...answers);
  }

  /** As many tries of one kind, looked at together. */
  addMany(times: number, what: string, wentThrough: boolean, ...answers: readonly Shown[]): void {
    this.#count += times;
    if (wentThrough) this.#success ??= { reason: what, exchanges: answers.map(({ exchange }) => exchange) };
    const failed = answers.find(({ status = 0 }) => status >= 500);
    if (!wentThrough && failed !== undefined) this.#note(failed, 'which refuses nothing');
  }

  /** One try of something that is refused with one of these statuses, or done: another refusal is about something else. */
  addRequest(what: string, answer: Required<Shown>, ...refusals: readonly number[]): void {
    const { status } = answer;
    this.add(what, status < 400, answer);
    if (status >= 400 && !refusals.includes(status)) this.#note(answer, `expected ${refusals.join(' or ')}`);
  }

  #note({ exchange, status }: Shown, why: string): void {
    this.#unclear ??= `${exchange.request[0]} was answered ${status} ${exchange.body}; ${why}`;
  }

  /** For so long after its end something was still honoured. */
  noteLag(lagMs: number): void {
    this.#lagMs = Math.max(this.#lagMs ?? 0, Math.round(lagMs));
  }

  get succeeded(): boolean {
    return this.#success !== undefined;
  }

  /** Throws `Inconclusive` when nothing was tried, or a try was unclear: observing nothing is not a pass. */
  result(): AttackResult {
    if (this.#count === 0) throw new Inconclusive('nothing was tried');
    const tries = this.#count;
    if (this.#success !== undefined) return { outcome: 'succeeded', tries, ...this.#success };
    if (this.#unclear !== undefined) throw new Inconclusive(this.#unclear);
    return { outcome: 'resisted', tries, ...(this.#lagMs === undefined ? {} : { lagMs: this.#lagMs }) };
  }
}
