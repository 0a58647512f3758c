import { type AttackExchange, type BrowserAnswer, Inconclusive } from './tools/browser.js';
import type { Target } from './tools/target.js';
import type { WeakVariantName } from './weak-variants.js';

/**
 * The kinds of tries of an attack, by name. Each has the weak variants in which it must succeed. There is at least one,
 * because a probe that cannot succeed anywhere proves nothing.
 */
export type Probes = Readonly<Record<string, readonly [WeakVariantName, ...WeakVariantName[]]>>;

/**
 * One way to break into the sessions of a running system. It uses HTTP only, and it can kill a process of the system.
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
  readonly probes: Probes;
  /** It looks for flaws in a sample. It can find one, and cannot show that there is none. */
  readonly statistical?: true;
  /** Where it succeeds by design at full strength. Such a success is reported as a known limit. */
  readonly knownLimit?: KnownLimit;
  /** Its sessions must end while it waits, so its system has the limits of `shortLimits`. */
  readonly shortLimits?: true;
  /** It affects every user (kills a process, ends everyone's sessions), so no other attack runs at the same time. */
  readonly alone?: true;
  run(target: Target): Promise<AttackResult>;
}

interface KnownLimit {
  readonly strategies: readonly Target['strategy'][];
  /** Why it succeeds there, and what to choose instead. */
  readonly reason: string;
}

/** Returns the weak variants in which at least one probe of the attack must succeed. */
export function weakVariantsOf({ probes }: Attack): readonly WeakVariantName[] {
  return [...new Set(Object.values(probes).flat())];
}

/** Returns the probes of the attack that must succeed in this weak variant. */
export function probesIn({ probes }: Attack, variant: WeakVariantName): readonly string[] {
  return Object.entries(probes).flatMap(([name, variants]) => (variants.includes(variant) ? [name] : []));
}

/** Something that the system accepted and should have refused. */
export interface Success {
  readonly reason: string;
  /** The HTTP exchanges that prove it. */
  readonly exchanges: readonly AttackExchange[];
}

interface ProbeTally {
  readonly tries: number;
  /** The first try that succeeded. */
  readonly success?: Success;
}

type ProbeTallies = Readonly<Record<string, ProbeTally>>;

export type AttackResult =
  | {
      readonly outcome: 'resisted';
      /** Number of tries; never 0. */
      readonly tries: number;
      /** How long an ended session was still accepted; at most the lag that the mode states. */
      readonly lagMs?: number;
      readonly probes: ProbeTallies;
    }
  | ({
      /** `known limit`: it succeeded where the mode says that it does. */
      readonly outcome: 'succeeded' | 'known limit';
      readonly tries: number;
      readonly probes: ProbeTallies;
    } & Success)
  | { readonly outcome: 'not applicable'; readonly reason: string };

export function notApplicable(reason: string): AttackResult {
  return { outcome: 'not applicable', reason };
}

/** Evidence of one try: an answer, or an exchange built by the attack. */
type Shown = Pick<BrowserAnswer, 'exchange'> & { readonly status?: number };

/**
 * Records the tries of one attack, probe by probe. The report shows the first try that succeeded. A try may fail for the
 * wrong reason: the system was down, or it refused something else. That is no resistance. The whole attack is then
 * inconclusive, unless another try succeeded.
 */
export class Tries<Name extends string = string> {
  readonly #probes = new Map<Name, ProbeTries>();

  /** Returns the record of one probe. */
  of(name: Name): ProbeTries {
    const known = this.#probes.get(name) ?? new ProbeTries();
    this.#probes.set(name, known);
    return known;
  }

  /**
   * Returns the result. Throws `Inconclusive` when nothing was tried or a try was unclear: seeing nothing is no pass.
   */
  result(): AttackResult {
    const probes = Object.fromEntries([...this.#probes].map(([name, probe]) => [name, probe.result()]));
    return conclude([...this.#probes.values()], probes);
  }
}

function conclude(all: readonly ProbeTries[], probes: ProbeTallies): AttackResult {
  const tries = all.reduce((sum, probe) => sum + probe.tries, 0);
  if (tries === 0) throw new Inconclusive('nothing was tried');
  const success = all.find(probe => probe.success !== undefined)?.success;
  if (success !== undefined) return { outcome: 'succeeded', tries, ...success, probes };
  const unclear = all.find(probe => probe.unclear !== undefined)?.unclear;
  if (unclear !== undefined) throw new Inconclusive(unclear);
  const lags = all.flatMap(({ lagMs }) => lagMs ?? []);
  return { outcome: 'resisted', tries, ...(lags.length === 0 ? {} : { lagMs: Math.max(...lags) }), probes };
}

/** The tries of one probe. */
export class ProbeTries {
  tries = 0;
  lagMs: number | undefined;
  /** The first try that failed for another reason than a refusal. */
  unclear: string | undefined;
  success: Success | undefined;

  /** Whether a try has succeeded: more of them would show nothing new. */
  get hasSucceeded(): boolean {
    return this.success !== undefined;
  }

  /** Adds one try: what was attempted, whether it succeeded, and the answers that show it. */
  add(what: string, wentThrough: boolean, ...answers: readonly Shown[]): void {
    this.addMany(1, what, wentThrough, ...answers);
  }

  /** Adds `times` tries that were judged together. */
  addMany(times: number, what: string, wentThrough: boolean, ...answers: readonly Shown[]): void {
    this.tries += times;
    if (wentThrough) this.success ??= { reason: what, exchanges: answers.map(({ exchange }) => exchange) };
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
    this.unclear ??= `${exchange.request[0]} was answered ${status} ${exchange.body}; ${why}`;
  }

  /** Records that a try showed neither success nor refusal. Without a success the attack is then inconclusive. */
  noteUnclear(why: string): void {
    this.unclear ??= why;
  }

  /** Records how long after its end a session was still accepted. Keeps the longest. */
  noteLag(lagMs: number): void {
    this.lagMs = Math.max(this.lagMs ?? 0, Math.round(lagMs));
  }

  result(): ProbeTally {
    return { tries: this.tries, ...(this.success === undefined ? {} : { success: this.success }) };
  }
}

/** The tries of an attack without named probes, such as an attack on a foreign app. */
export class UnnamedTries extends ProbeTries {
  /** Returns the result as `Tries.result` does. */
  conclude(): AttackResult {
    return conclude([this], {});
  }
}
