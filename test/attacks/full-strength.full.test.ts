import { expect } from 'chai';
import { ProbeTries } from '#src/attacks/attack.js';
import { attacks } from '#src/attacks/attacks/registry.js';
import { type Finding, judge } from '#src/attacks/finding.js';
import { planSystems, runAttacks } from '#src/attacks/run-attacks.js';
import { type System, startSystem } from '#src/attacks/start-system.js';
import { Inconclusive } from '#src/attacks/tools/browser.js';
import { withBreakingRelays } from './with-breaking-relays.js';

const all = Object.keys(attacks);
const namesWith = (start: string) => all.filter(name => name.startsWith(start));

/** Attacks on tokens and cookies, each in one mode. `holdfast attack` runs every attack in every mode. */
const inMode = {
  sticky: [
    ...namesWith('affinity-'),
    ...['login-by-get', 'session-by-crawling', 'cookie-attributes', 'cookie-size', 'token-in-body', 'cross-site-post'],
    ...['login-csrf', 'totp-twice', 'totp-guess', 'claimed-identity', 'fixation', 'reuse-after-failover'],
    // Its token is short. tampered-token.full.test.ts changes the long ones.
    'tampered-token',
  ],
  jwt: [...namesWith('jwt-'), 'refresh-stolen', 'cookie-attributes', 'token-in-body'],
  sealed: [...namesWith('seal-'), 'fixation', 'logout-in-flight', 'stale-authentication'],
};

/** Attacks that cannot be broken off: they judge after their last request, or wait for sessions to expire. */
const lookAtTheEnd = new Set([
  ...['predicted-ids', 'lost-edits', 'old-cookie', 'affinity-address', 'idle-limit', 'absolute-limit', 'store-lost'],
]);
/** Attacks whose last try differs in kind from their first, and whose number of tries is constant. */
const endOtherwise = new Set(['disabled-user', 'password-changed', 'stale-authentication']);
const brokenOffIn = (mode: keyof typeof inMode) => {
  const isHere = { sticky: /^affinity-/, sealed: /^seal-/, jwt: /^(?!affinity-|seal-)/ }[mode];
  return all.filter(name => isHere.test(name) && !lookAtTheEnd.has(name));
};

for (const mode of ['sticky', 'sealed', 'jwt'] as const)
  describe(`attacks at full strength, mode ${mode}`, function () {
    this.timeout(60_000);
    const { signal } = new AbortController();
    let system: System;
    let findings: readonly Finding[] = [];

    before(async () => {
      system = await startSystem({ mode, variant: undefined, shortLimits: false }, signal);
      const systems = planSystems([mode], chosen(inMode[mode])).filter(({ variant }) => variant === undefined);
      const start = async () => ({ ...system, stop: async () => undefined });
      findings = await runAttacks({ attacks, systems, start, signal, onProgress: () => undefined });
    });
    after(() => system.stop());

    for (const name of inMode[mode])
      it(`${name} is resisted, with at least one try`, () => {
        const found = findings.filter(({ attack }) => attack === name);
        expect(found.map(judge), JSON.stringify(found)).to.deep.equal(['pass']);
        expect(found[0]?.result).to.have.property('tries').greaterThan(0);
      });

    describe('when the system suddenly answers only 503', () => {
      afterEach(() => system.heal());

      for (const name of brokenOffIn(mode))
        it(`${name} is inconclusive when the system fails at its first try`, async () => {
          expect((await brokenOff(name, system, 1)).outcome).to.equal('inconclusive');
        });

      for (const name of brokenOffIn(mode).filter(each => endOtherwise.has(each)))
        it(`${name} is inconclusive when the system fails at its last try`, async () => {
          const { outcome, tries } = await brokenOff(name, system, Number.POSITIVE_INFINITY);
          expect(outcome, 'of the sound system').to.equal('resisted');
          expect((await brokenOff(name, system, tries - 1)).outcome).to.equal('inconclusive');
        });
    });
  });

/** Runs an attack on a system that fails after this many tries. Returns the outcome and the number of tries. */
async function brokenOff(name: string, system: System, afterTries: number) {
  const { addMany } = ProbeTries.prototype;
  let tries = 0;
  return withBreakingRelays(system.target, async ({ target, breakOff }) => {
    ProbeTries.prototype.addMany = function (...given) {
      if (++tries === afterTries) breakOff();
      return addMany.apply(this, given);
    };
    try {
      return { outcome: (await attacks[name]?.run(target))?.outcome, tries };
    } catch (error) {
      if (error instanceof Inconclusive) return { outcome: 'inconclusive', tries };
      throw error;
    } finally {
      ProbeTries.prototype.addMany = addMany;
    }
  });
}

function chosen(names: readonly string[]): typeof attacks {
  return Object.fromEntries(Object.entries(attacks).filter(([name]) => names.includes(name)));
}
