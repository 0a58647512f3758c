import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { type Finding, judge } from '#src/attacks/finding.js';
import { type PlannedSystem, planSystems } from '#src/attacks/plan.js';
import { runAttacks } from '#src/attacks/run-attacks.js';
import { startSystem } from '#src/attacks/start-system.js';
import { type ModeName, modeNames } from '#src/modes.js';

const namesWith = (start: string) => Object.keys(attacks).filter(name => name.startsWith(start));

/** Attacks on tokens and cookies, each in one mode. `holdfast attack` runs every attack in every mode. */
const inMode: Partial<Record<ModeName, readonly string[]>> = {
  sticky: [
    ...namesWith('affinity-'),
    ...['login-by-get', 'session-by-crawling', 'cookie-attributes', 'cookie-size', 'token-in-body', 'cross-site-post'],
    ...['login-csrf', 'totp-twice', 'totp-guess', 'claimed-identity', 'fixation', 'reuse-after-failover'],
  ],
  jwt: [...namesWith('jwt-'), 'refresh-stolen', 'tampered-token', 'cookie-attributes', 'token-in-body'],
  sealed: [...namesWith('seal-'), 'tampered-token', 'fixation', 'logout-in-flight', 'stale-authentication'],
};

const systems = modeNames.flatMap(mode =>
  planSystems([mode], chosen(inMode[mode] ?? [])).filter(({ variant }) => variant === undefined),
);

describe('attacks at full strength', () => {
  let findings: readonly Finding[] = [];

  before(async function () {
    this.timeout(90_000);
    const { signal } = new AbortController();
    const start = (system: PlannedSystem) => startSystem(system, signal);
    findings = await runAttacks({ attacks, systems, start, signal, onProgress: () => undefined });
  });

  for (const [mode, names] of Object.entries(inMode))
    for (const name of names)
      it(`${mode}: ${name} is resisted, with at least one try`, () => {
        const found = findings.filter(each => each.attack === name && each.mode === mode);
        expect(found.map(judge), JSON.stringify(found)).to.deep.equal(['pass']);
        expect(found[0]?.result).to.have.property('tries').greaterThan(0);
      });
});

function chosen(names: readonly string[]): typeof attacks {
  return Object.fromEntries(Object.entries(attacks).filter(([name]) => names.includes(name)));
}
