import { expect } from 'chai';
import { stores } from '#src/sessions/registry.js';
import { loaded } from './loaded.js';
import { sessionStoreContract } from './session-store.contract.js';
import { storeLabs } from './store-labs.js';

const entries = Object.entries(await loaded(stores));

describe('session stores', () => {
  it('have a lab each', () => {
    expect(Object.keys(storeLabs)).to.have.members(Object.keys(stores));
  });

  for (const [name, entry] of entries) {
    const startLab = storeLabs[name];
    if (startLab !== undefined) describe(name, () => sessionStoreContract(entry, startLab));
  }
});
