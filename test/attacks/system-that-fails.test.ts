import { expect } from 'chai';
import { ProbeTries } from '#src/attacks/attack.js';
import { attacks } from '#src/attacks/attacks/registry.js';
import { Inconclusive } from '#src/attacks/errors.js';
import { type System, startSystem } from '#src/attacks/start-system.js';
import type { ModeName } from '#src/modes.js';
import { withBreakingRelays } from './with-breaking-relays.js';

/** Attacks that cannot be tested here: they judge after their last request, or wait for sessions to expire. */
const lookAtTheEnd = new Set([
  ...['predicted-ids', 'lost-edits', 'old-cookie', 'affinity-address', 'idle-limit', 'absolute-limit', 'store-lost'],
]);
/** Attacks whose last try differs in kind from their first, and whose number of tries is constant. */
const endOtherwise = new Set(['disabled-user', 'password-changed', 'stale-authentication']);
const names = Object.keys(attacks).filter(name => !lookAtTheEnd.has(name));
const systems: readonly (readonly [ModeName, readonly string[]])[] = [
  ['sticky', names.filter(name => name.startsWith('affinity-'))],
  ['sealed', names.filter(name => name.startsWith('seal-'))],
  ['jwt', names.filter(name => !/^(affinity|seal)-/.test(name))],
];

for (const [mode, here] of systems) {
  describe(`attacks on a system that suddenly answers only 503: mode ${mode}`, function () {
    this.timeout(30_000);
    let system: System;

    before(async () => {
      const { signal } = new AbortController();
      system = await startSystem({ mode, variant: undefined, shortLimits: false }, signal);
    });
    after(() => system.stop());
    afterEach(() => system.heal());

    for (const name of here)
      it(`${name} is inconclusive when the system fails at its first try`, async () => {
        expect((await brokenOff(name, system, 1)).outcome).to.equal('inconclusive');
      });

    for (const name of here.filter(each => endOtherwise.has(each)))
      it(`${name} is inconclusive when the system fails at its last try`, async () => {
        const { outcome, tries } = await brokenOff(name, system, Number.POSITIVE_INFINITY);
        expect(outcome, 'of the sound system').to.equal('resisted');
        expect((await brokenOff(name, system, tries - 1)).outcome).to.equal('inconclusive');
      });
  });
}

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
