import type { AttackResult } from '../attack.js';
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
export type AppAttackResult = AttackResult & { readonly note?: string };

/** The result of one attack on the app. */
export interface AppFinding {
  /** A key of the registry. */
  readonly attack: string;
  readonly result: AppAttackResult | UnknownResult;
}

/** The attack could not be carried out, so nothing is known. */
export interface UnknownResult {
  readonly outcome: 'unknown';
  readonly reason: string;
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
