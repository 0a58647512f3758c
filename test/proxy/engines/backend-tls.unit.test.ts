import { engines } from '#src/proxy/engines/registry.js';
import { itAsksTlsBackends } from './backend-tls.contract.js';

for (const [name, { make }] of Object.entries(engines)) {
  describe(`engine ${name} before TLS backends`, () => itAsksTlsBackends(make));
}
