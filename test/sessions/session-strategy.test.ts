import { stores, strategies } from '#src/sessions/registry.js';
import { loaded } from './loaded.js';
import { sessionStrategyContract } from './session-strategy.contract.js';
import { storeLabs } from './store-labs.js';

const strategyEntries = Object.entries(await loaded(strategies));
const storeEntries = Object.entries(await loaded(stores));

describe('session strategies', () => {
  for (const [name, entry] of strategyEntries) {
    for (const [storeName, storeEntry] of storeEntries) {
      if (entry.needsFeed && storeEntry.openFeed === undefined) continue;
      const startLab = storeLabs[storeName];
      if (startLab === undefined) throw new Error(`no lab for the store ${storeName}`);
      describe(`${name} on ${storeName}`, () => sessionStrategyContract(entry, storeEntry, startLab));
    }
  }
});
