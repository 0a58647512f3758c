import { engines } from '#src/proxy/engines/registry.js';
import { itIsAnEngine } from './engine.contract.js';

for (const [name, { make }] of Object.entries(engines)) {
  describe(`engine ${name}`, () => itIsAnEngine(make));
}
