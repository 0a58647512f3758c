import { engines } from '#src/proxy/engines/registry.js';
import { engineShortfalls, Shortfalls } from '../shortfalls.js';
import { itIsAnEngine } from './engine.contract.js';

for (const [name, { make }] of Object.entries(engines)) {
  describe(`engine ${name}`, () => {
    const shortfalls = new Shortfalls(engineShortfalls[name]);
    itIsAnEngine(make, shortfalls);
    shortfalls.itListsOnlyCases();
  });
}
