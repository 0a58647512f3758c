import { stores } from '#src/sessions/stores/registry.js';
import { strategies } from '#src/sessions/strategies/registry.js';
import { sessionStrategyContract } from './session-strategy.contract.js';
import { storeLabs } from './store-labs.js';

describe('session strategies', () => {
  for (const [name, entry] of Object.entries(strategies)) {
    for (const [storeName, storeEntry] of Object.entries(stores)) {
      if (entry.needsFeed && storeEntry.openFeed === undefined) continue;
      const startLab = storeLabs[storeName];
      if (startLab === undefined) throw new Error(`no lab for the store ${storeName}`);
      describe(`${name} on ${storeName}`, () => sessionStrategyContract(entry, storeEntry, startLab));
    }
  }
});
