import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { type Finding, judge } from '#src/attacks/finding.js';
import { type PlannedSystem, planSystems } from '#src/attacks/plan.js';
import { runAttacks } from '#src/attacks/run-attacks.js';
import { startSystem } from '#src/attacks/start-system.js';

/**
 * Attacks on tokens and cookies, by the mode in which each runs here. `holdfast attack` runs every attack in every
 * mode.
 */
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
  sticky: [...everywhere, ...onAffinity, 'reuse-after-failover'],
  jwt: [...onTokens, 'refresh-stolen', 'cookie-attributes', 'cookie-size', 'token-in-body'],
  redis: everywhere,
} as const;

/** The reason with which each attack must succeed: its own weakness, not one planted for another attack. */
const ownReasons: Readonly<Record<string, RegExp>> = {
  'login-by-get': /^GET \/me began a session/,
  'session-by-crawling': /^GET \/cart began a session/,
  'cookie-attributes': /no HttpOnly/,
  'cookie-size': /^a cookie of \d{4,} bytes was set/,
  'token-in-body': /^the answer of the login shows the token/,
  'cross-site-post': /^POST \/cart, Origin: .* was carried out/,
  'login-csrf': /^Origin: .*: the login was accepted/,
  'totp-twice': /^one code logged in 6 browsers at once/,
  'totp-guess': /^the shop checked 12 guesses/,
  'claimed-identity': /^the header x-forwarded-user/,
  'affinity-forged': /^the proxy followed backend=/,
  'affinity-chosen': /by the number in the own cookie/,
  'affinity-address': /shows "127\.0\.0\.1/,
  'jwt-signature': /^no signature: accepted as/,
  'jwt-algorithm': /^alg "none", /,
  'jwt-own-key': /^jwk with a secret: /,
  'jwt-key-address': /^the system connected \d+ times/,
  'jwt-times': /^no exp: /,
  'jwt-type': /^typ "JWT" under a good signature: /,
  'jwt-audience': /^no aud: /,
  'refresh-stolen': /^the thief received a successor of their own/,
  'reuse-after-failover': /the restart of backend-\d$/,
};

/** The systems of each mode with the attacks above; `redis` only as a weak variant. */
const systems = Object.entries(inMode).flatMap(([mode, names]) =>
  planSystems(['sticky', 'jwt', 'redis'], chosen(names)).filter(
    system => system.mode === mode && (mode !== 'redis' || system.variant !== undefined),
  ),
);

describe('attacks on tokens and cookies', () => {
  let findings: readonly Finding[] = [];

  before(async function () {
    this.timeout(90_000);
    const { signal } = new AbortController();
    const start = (system: PlannedSystem) => startSystem(system, signal);
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

  it('succeed on at least one system each, and make at least one try wherever they apply', () => {
    const fallen = findings.filter(({ variant }) => variant !== undefined).map(({ attack }) => attack);
    expect([...new Set(fallen)].sort()).to.deep.equal(Object.keys(ownReasons).sort());
    const idle = findings.filter(({ result }) => result.outcome === 'not applicable');
    expect(idle.map(({ attack, mode }) => `${attack} in ${mode}`)).to.deep.equal([]);
  });

  it('succeed by their own planted weakness, not by one planted for another attack', () => {
    for (const { attack, variant, result } of findings)
      if (variant !== undefined && result.outcome === 'succeeded')
        expect(result.reason).to.match(ownReasons[attack] ?? /^$/);
  });
});

function chosen(names: readonly string[]): typeof attacks {
  return Object.fromEntries(Object.entries(attacks).filter(([name]) => names.includes(name)));
}
