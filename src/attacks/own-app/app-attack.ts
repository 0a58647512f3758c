import { setTimeout as sleep } from 'node:timers/promises';
import { rejectOnAbort } from '../../simulator/errors.js';
import type { AttackResult } from '../attack.js';
import { Inconclusive } from '../tools/browser.js';
import type { AppUnderAttack } from './app.js';

/**
 * One way to break into the sessions of an app that Holdfast does not know. It uses the journey of the app, over HTTP.
 * Implementations: `attacks/registry.ts`.
 *
 * `run` first shows that the control works: a user is logged in and sees their own data. Then it attacks. It rejects with
 * `Inconclusive` when it cannot attack; that is reported as unknown, and never counts as resistance.
 */
export interface AppAttack {
  /** One line that says what it sends. */
  readonly title: string;
  /** Requirements of OWASP ASVS 5.0.0 that it tests, such as `7.4.1`; or `RFC 9700`. */
  readonly asvs: readonly string[];
  run(app: AppUnderAttack): Promise<AppAttackResult>;
}

/** `note`: what the result does not show. */
type AppAttackResult = AttackResult & { readonly note?: string };

/** The result of one attack on the app. */
export interface AppFinding {
  /** A key of the registry. */
  readonly attack: string;
  readonly result: AppAttackResult | UnknownResult;
}

/** The attack could not be carried out, so nothing is known. */
interface UnknownResult {
  readonly outcome: 'unknown';
  readonly reason: string;
}

interface AppAttackRun {
  readonly app: AppUnderAttack;
  readonly attacks: Readonly<Record<string, AppAttack>>;
  /** `performance.now()` after which nothing more is sent. */
  readonly untilMs: number;
  readonly signal: AbortSignal;
  /** Starts the app again if it has ended. Resolves with how it ended; undefined while it runs. */
  readonly restartIfEnded: () => Promise<string | undefined>;
  /** Called before each attack with its name. */
  readonly onAttack: (name: string) => void;
}

/**
 * Runs the attacks one after the other, so that the load stays small, and returns their findings in this order.
 *
 * learn by what the app recognises a user -> attack by attack
 *
 * An attack that rejects, or that is not over in time, is unknown. If the journey does not fit the app, every attack is.
 * An app that ends resists everything, so an attack during which it ended is unknown too, and the app is started again.
 * Rejects with `Interrupted` when the signal is aborted.
 */
export async function runAppAttacks(run: AppAttackRun): Promise<AppFinding[]> {
  const { app, attacks, untilMs, signal } = run;
  const within = <T>(work: () => Promise<T>) => rejectOnAbort(beforeEnd(work, untilMs), signal);
  const problem = await within(() => app.study()).then(
    () => undefined,
    error => unknownFrom(error),
  );
  const findings: AppFinding[] = [];
  for (const [name, attack] of Object.entries(attacks)) {
    if (problem === undefined) run.onAttack(name);
    const result = problem ?? (await within(() => attack.run(app)).catch(unknownFrom));
    const end = problem === undefined ? await rejectOnAbort(run.restartIfEnded(), signal) : undefined;
    findings.push({ attack: name, result: end === undefined ? result : withEnd(result, end) });
  }
  return findings;
}

/** Adds that the app ended. A success stays one: it was seen. */
function withEnd(result: AppFinding['result'], end: string): AppFinding['result'] {
  if (result.outcome === 'succeeded') return result;
  const earlier = 'reason' in result ? `${result.reason}; ` : '';
  return { outcome: 'unknown', reason: `${earlier}the app ended during this attack and was started again: ${end}` };
}

/** Rejects with `Inconclusive` when the work is not over in time. It then sends nothing more after its next answer. */
async function beforeEnd<T>(work: () => Promise<T>, untilMs: number): Promise<T> {
  const leftMs = untilMs - performance.now();
  if (leftMs <= 0) throw new Inconclusive(tooLate);
  const timer = new AbortController();
  const limit = sleep(leftMs, undefined, { signal: timer.signal }).then(() => {
    throw new Inconclusive(tooLate);
  });
  try {
    return await Promise.race([work(), limit]);
  } finally {
    limit.catch(() => undefined);
    timer.abort();
  }
}

const tooLate = 'the time of the command was over: choose fewer attacks with --attack';

/** Turns the failure of an attack into a result. Any error but `Inconclusive` stops the command. */
function unknownFrom(error: unknown): UnknownResult {
  if (error instanceof Inconclusive) return { outcome: 'unknown', reason: error.message };
  throw error;
}

/** Renders the findings as JSON. Schema 1: fields are added and never changed. */
export function renderAppAttackJson(
  app: string,
  attacks: Readonly<Record<string, AppAttack>>,
  findings: readonly AppFinding[],
): string {
  const lines = findings.map(({ attack, result }) => ({
    attack,
    title: attacks[attack]?.title,
    asvs: attacks[attack]?.asvs,
    ...result,
    tries: 'tries' in result ? result.tries : 0,
  }));
  return `${JSON.stringify({ schema: 1, app, attacks: lines }, null, 2)}\n`;
}
