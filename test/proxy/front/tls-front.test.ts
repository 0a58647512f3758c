import { engines } from '#src/proxy/engines/registry.js';
import { itServesTls } from './tls-front.contract.js';

for (const [name, { make }] of Object.entries(engines)) {
  describe(`engine ${name} behind TLS`, () => itServesTls(make));
}
