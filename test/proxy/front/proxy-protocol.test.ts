import { engines } from '#src/proxy/engines/registry.js';
import { itTakesProxyHeaders } from './proxy-protocol.contract.js';

for (const [name, { make }] of Object.entries(engines)) {
  describe(`engine ${name} behind PROXY headers`, () => itTakesProxyHeaders(make));
}
