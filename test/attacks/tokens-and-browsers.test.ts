import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { type Finding, judge } from '#src/attacks/finding.js';
import { type PlannedSystem, planSystems } from '#src/attacks/plan.js';
import { runAttacks } from '#src/attacks/run-attacks.js';
import { startSystem } from '#src/attacks/start-system.js';

/** Attacks on what a browser is trusted with, by the mode in which each is run here. `holdfast attack` runs all in all. */
const everywhere = [
  'login-by-get',
  'session-by-crawling',
  'cookie-attributes',
  'cookie-size',
  'token-in-body',
  'cross-site-post',
  'login-csrf',
  'totp-twice',
  'totp-guess',
  'claimed-identity',
];
const onAffinity = ['affinity-forged', 'affinity-chosen', 'affinity-address'];
const onTokens = Object.keys(attacks).filter(name => name.startsWith('jwt-'));
const inMode = {
  sticky: [...everywhere, ...onAffinity],
  jwt: [...onTokens, 'refresh-stolen', 'cookie-attributes', 'cookie-size', 'token-in-body'],
  redis: everywhere,
} as const;

/** Each mode with what is of interest there; `redis` only as the weak shop. */
const systems = Object.entries(inMode).flatMap(([mode, names]) =>
  planSystems(['sticky', 'jwt', 'redis'], chosen(names)).filter(
    system => system.mode === mode && (mode !== 'redis' || system.variant !== undefined),
  ),
);

describe('attacks on tokens, cookies and what surrounds them', () => {
  let findings: readonly Finding[] = [];

  before(async function () {
    this.timeout(90_000);
    const { signal } = new AbortController();
    const start = (system: PlannedSystem) => startSystem(system, {}, signal);
    findings = await runAttacks({ attacks, systems, start, signal, onProgress: () => undefined });
  });

  for (const { mode, variantName, shortLimits, attacks: names } of systems) {
    const where = [mode, variantName, shortLimits ? 'short limits' : undefined].filter(Boolean).join(', ');
    for (const name of names) {
      it(`${where}: ${name} ${variantName === undefined ? 'is resisted' : 'succeeds'}`, () => {
        const found = findings.filter(
          each => each.attack === name && each.mode === mode && each.variant === variantName,
        );
        expect(found.map(judge), JSON.stringify(found)).to.deep.equal(['pass']);
      });
    }
  }

  it('each of them is seen to succeed somewhere, and tries something wherever it applies', () => {
    const fallen = findings.filter(({ variant }) => variant !== undefined).map(({ attack }) => attack);
    expect([...new Set(fallen)].sort()).to.deep.equal(
      [...everywhere, ...onAffinity, ...onTokens, 'refresh-stolen'].sort(),
    );
    const idle = findings.filter(({ result }) => result.outcome === 'not applicable');
    expect(idle.map(({ attack, mode }) => `${attack} in ${mode}`)).to.deep.equal([]);
  });
});

function chosen(names: readonly string[]): typeof attacks {
  return Object.fromEntries(Object.entries(attacks).filter(([name]) => names.includes(name)));
}
