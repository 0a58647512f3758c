import { type Mode, type ModeName, modes } from '../modes.js';
import type { Attack, AttackResult } from './attack.js';
import type { WeakVariantName } from './weak-variants.js';

/** The result of one attack on one system. */
export interface Finding {
  /** A key of the registry of attacks. */
  readonly attack: string;
  readonly mode: ModeName;
  /** Undefined: the mode at full strength. */
  readonly variant: WeakVariantName | undefined;
  /** The probes that must succeed; none at full strength. */
  readonly mustSucceed: readonly string[];
  readonly result: AttackResult | InconclusiveResult;
}

interface InconclusiveResult {
  readonly outcome: 'inconclusive';
  readonly reason: string;
}

/** The same words as the verdict of a scenario. */
export type FindingWord = 'pass' | 'fail' | 'inconclusive';

/** Judges one finding. At full strength no probe may succeed; in a weak variant every probe that names it must. */
export function judge(finding: Finding): FindingWord {
  const { variant, result } = finding;
  if (result.outcome === 'inconclusive') return 'inconclusive';
  if (variant === undefined) return result.outcome === 'succeeded' ? 'fail' : 'pass';
  return result.outcome === 'succeeded' && probesThatFailed(finding).length === 0 ? 'pass' : 'fail';
}

/** Returns the probes that should have succeeded and did not. */
export function probesThatFailed({ mustSucceed, result }: Finding): readonly string[] {
  const probes = 'probes' in result ? result.probes : {};
  return mustSucceed.filter(name => probes[name]?.success === undefined);
}

/** Judges the findings that are applicable. The list is empty if none is, and such a run did not pass. */
export function judgeAll(findings: readonly Finding[]): FindingWord[] {
  return findings
    .filter(({ variant, result }) => variant !== undefined || result.outcome !== 'not applicable')
    .map(judge);
}

/** Renders the findings as JSON. Schema 1: fields are added and never changed. `variant` is null at full strength. */
export function renderAttackJson(attacks: Readonly<Record<string, Attack>>, findings: readonly Finding[]): string {
  const lines = findings.map(({ attack, mode, variant, result }) => ({
    attack,
    title: attacks[attack]?.title,
    asvs: attacks[attack]?.asvs.filter(id => appliesTo(id, mode)),
    mode,
    variant: variant ?? null,
    ...result,
    tries: 'tries' in result ? result.tries : 0,
  }));
  return `${JSON.stringify({ schema: 1, attacks: lines }, null, 2)}\n`;
}

/**
 * Returns whether a requirement of OWASP ASVS 5.0.0 applies to a mode. Chapter 9 is about self-contained tokens. In the
 * other modes the cookie holds only the id of a session in a store, so no result there is evidence for it.
 */
export function appliesTo(requirement: string, mode: ModeName): boolean {
  const { strategy }: Mode = modes[mode];
  return strategy !== 'reference' || !requirement.startsWith('9.');
}

/** Why a requirement of chapter 9 does not apply. */
export const noSelfContainedToken = 'the cookie holds the id of a session in a store, not a self-contained token';
