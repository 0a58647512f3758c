import { expect } from 'chai';
import { isDefectName } from '#backends/defects.js';
import { weakVariantsOf } from '#src/attacks/attack.js';
import { attacks } from '#src/attacks/attacks/registry.js';
import { weakVariantNames, weakVariants } from '#src/attacks/weak-variants.js';

describe('attacks: the registry', () => {
  for (const [name, { title, asvs, probes }] of Object.entries(attacks)) {
    it(`${name} has a title, valid requirements and probes with at least one weak variant each`, () => {
      expect(title).to.match(/^[a-z].{20,}[^.]$/);
      for (const id of asvs) expect(id).to.match(/^(\d+\.\d+\.\d+|RFC \d+)$/);
      expect(Object.keys(probes)).not.to.deep.equal([]);
      for (const variants of Object.values(probes)) expect(variants).not.to.deep.equal([]);
    });
  }

  for (const name of weakVariantNames) {
    it(`the weak variant ${name} has an attack and a defect that the shop knows`, () => {
      expect(Object.values(attacks).some(attack => weakVariantsOf(attack).includes(name))).to.equal(true);
      const variant: { readonly defect?: string; readonly proxyProgram?: string } = weakVariants[name];
      for (const defect of variant.defect?.split(',') ?? []) expect(isDefectName(defect), defect).to.equal(true);
      expect(variant.defect ?? variant.proxyProgram).not.to.equal(undefined);
    });
  }
});
