/** In modes that carry the session in the cookie, the attack makes 900 requests. full-strength.full.test.ts makes it in one mode. */
import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { judge } from '#src/attacks/finding.js';
import { planSystems, runAttacks } from '#src/attacks/run-attacks.js';
import { type SystemSpec, startSystem } from '#src/attacks/start-system.js';

const tampering = Object.fromEntries(Object.entries(attacks).filter(([name]) => name === 'tampered-token'));

describe('a changed token at full strength', function () {
  this.timeout(60_000);

  for (const mode of ['sealed', 'jwt'] as const)
    it(`is resisted in mode ${mode}`, async () => {
      const { signal } = new AbortController();
      const systems = planSystems([mode], tampering).filter(({ variant }) => variant === undefined);
      const start = (system: SystemSpec) => startSystem(system, signal);
      const findings = await runAttacks({ attacks: tampering, systems, start, signal, onProgress: () => undefined });
      expect(findings.map(judge), JSON.stringify(findings)).to.deep.equal(['pass']);
      expect(findings[0]?.result).to.have.property('tries').greaterThan(500);
    });
});
