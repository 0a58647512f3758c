import { expect } from 'chai';
import { attacks } from '#src/attacks/attacks/registry.js';
import { probesThatFailed } from '#src/attacks/finding.js';
import { weakVariantNames } from '#src/attacks/weak-variants.js';
import { describeWeakVariants } from './weak-variants-suite.js';

describe('attacks: the probes on every system with a planted weakness', () => {
  const findings = describeWeakVariants(weakVariantNames);

  it('include every probe of every attack', () => {
    const seen = findings().flatMap(finding =>
      finding.mustSucceed
        .filter(name => !probesThatFailed(finding).includes(name))
        .map(name => `${finding.attack}: ${name}`),
    );
    const all = Object.entries(attacks).flatMap(([name, { probes }]) =>
      Object.keys(probes).map(probe => `${name}: ${probe}`),
    );
    expect([...new Set(seen)].sort()).to.deep.equal(all.sort());
  });
});
