import type { Attack } from './attack.js';
import type { Finding } from './finding.js';

/** Schema 1: fields are added and never changed. `variant` is null at full strength. */
export function attackJson(attacks: Readonly<Record<string, Attack>>, findings: readonly Finding[]): string {
  const lines = findings.map(({ attack, mode, variant, result }) => ({
    attack,
    title: attacks[attack]?.title,
    asvs: attacks[attack]?.asvs,
    mode,
    variant: variant ?? null,
    ...result,
    tries: 'tries' in result ? result.tries : 0,
  }));
  return `${JSON.stringify({ schema: 1, attacks: lines }, null, 2)}\n`;
}
