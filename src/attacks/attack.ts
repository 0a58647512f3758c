import { Inconclusive } from './errors.js';
import type { AttackExchange, BrowserAnswer } from './tools/browser.js';
import type { Target } from './tools/target.js';
import type { WeakVariantName } from './weak-variants.js';

/**
 * One way to break into the sessions of a running system. It uses HTTP only, and it can kill a backend.
 * Implementations: `attacks/registry.ts`.
 *
 * `run` first shows that an honest user can do the thing, because a dead system resists everything. Then it attacks. It
 * rejects with `Inconclusive` when it cannot attack; that never counts as resistance. It uses its own users
 * (`target.freshUser()`), because other attacks run at the same time.
 */
export interface Attack {
  /** One line, for the table and the evidence. */
  readonly title: string;
  /** Requirements of OWASP ASVS 5.0.0 that it tests, such as `7.4.1`; or `RFC 9700`. */
  readonly asvs: readonly string[];
  /** Weak variants in which it must succeed, at least one: an attack that cannot succeed proves nothing. */
  readonly weak: readonly WeakVariantName[];
  /** Its sessions must end while it waits, so its system has the limits of `shortLimits`. */
  readonly shortLimits?: true;
  /** It affects every user (kills a backend, ends everyone's sessions), so no other attack runs at the same time. */
  readonly alone?: true;
  run(target: Target): Promise<AttackResult>;
}

export type AttackResult =
  | {
      readonly outcome: 'resisted';
      /** Number of tries; never 0. */
      readonly tries: number;
      /** How long an ended session was still accepted; at most the lag that the mode states. */
      readonly lagMs?: number;
    }
  | {
      readonly outcome: 'succeeded';
      readonly tries: number;
      /** The thing that the system accepted and should have refused. */
      readonly reason: string;
      /** The HTTP exchanges that prove it. */
      readonly exchanges: readonly AttackExchange[];
    }
  | { readonly outcome: 'not applicable'; readonly reason: string };

export function notApplicable(reason: string): AttackResult {
  return { outcome: 'not applicable', reason };
}

/** Evidence of one try: an answer, or an exchange built by the attack. */
type Shown = Pick<BrowserAnswer, 'exchange'> & { readonly status?: number };

/**
 * Records the tries of one attack. The report shows the first try that succeeded. A try may fail for the wrong reason:
 * the system was down, or it refused something else. That is no resistance. The whole attack is then inconclusive,
 * unless another try succeeded.
 */
export class Tries {
  #count = 0;
  #lagMs: number | undefined;
  #unclear: string | undefined;
  #success: { readonly reason: string; readonly exchanges: readonly AttackExchange[] } | undefined;

  /** Adds one try: what was attempted, whether it succeeded, and the answers that show it. */
  add(what: string, wentThrough: boolean, ...answers: readonly Shown[]): void {
    this.addMany(1, what, wentThrough, ...answers);
  }

  /** Adds `times` tries of one kind that were judged together. */
  addMany(times: number, what: string, wentThrough: boolean, ...answers: readonly Shown[]): void {
    this.#count += times;
    if (wentThrough) this.#success ??= { reason: what, exchanges: answers.map(({ exchange }) => exchange) };
    const failed = answers.find(({ status = 0 }) => status >= 500);
    if (!wentThrough && failed !== undefined) this.#note(failed, 'which refuses nothing');
  }

  /** Adds one request. The system must refuse it with one of `refusals`; another status of 400 or more is unclear. */
  addRequest(what: string, answer: Required<Shown>, ...refusals: readonly number[]): void {
    const { status } = answer;
    this.add(what, status < 400, answer);
    if (status >= 400 && !refusals.includes(status)) this.#note(answer, `expected ${refusals.join(' or ')}`);
  }

  #note({ exchange, status }: Shown, why: string): void {
    this.#unclear ??= `${exchange.request[0]} was answered ${status} ${exchange.body}; ${why}`;
  }

  /** Records that a try showed neither success nor refusal. Without a success the attack is then inconclusive. */
  noteUnclear(why: string): void {
    this.#unclear ??= why;
  }

  /** Records how long after its end a session was still accepted. Keeps the longest. */
  noteLag(lagMs: number): void {
    this.#lagMs = Math.max(this.#lagMs ?? 0, Math.round(lagMs));
  }

  get succeeded(): boolean {
    return this.#success !== undefined;
  }

  /**
   * Returns the result. Throws `Inconclusive` when nothing was tried or a try was unclear: seeing nothing is no pass.
   */
  result(): AttackResult {
    if (this.#count === 0) throw new Inconclusive('nothing was tried');
    const tries = this.#count;
    if (this.#success !== undefined) return { outcome: 'succeeded', tries, ...this.#success };
    if (this.#unclear !== undefined) throw new Inconclusive(this.#unclear);
    return { outcome: 'resisted', tries, ...(this.#lagMs === undefined ? {} : { lagMs: this.#lagMs }) };
  }
}
