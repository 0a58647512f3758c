import { ask } from './ask.js';
import type { ProxyAdmin, ProxyBackend } from './cluster.js';

const answerWithinMs = 2_000;

/** The admin API of the proxy under test. Every call rejects when it is not answered as expected within 2 s. */
export function proxyAdmin(adminUrl: string): ProxyAdmin {
  return {
    drain: backend => put(backend, 'drain'),
    ready: backend => put(backend, 'ready'),
    async backends() {
      const { status, json } = await ask('GET', `${adminUrl}/backends`, answerWithinMs);
      if (status !== 200 || !isList(json))
        throw new Error(`GET ${adminUrl}/backends answered ${status}; expected 200 and {"backends": [...]}`);
      return json.backends;
    },
  };

  async function put(backend: string, state: 'drain' | 'ready'): Promise<void> {
    const url = `${adminUrl}/backends/${encodeURIComponent(backend)}`;
    const { status } = await ask('PUT', url, answerWithinMs, { state });
    if (status >= 300) throw new Error(`PUT ${url} {"state":"${state}"} answered ${status}; expected 200`);
  }
}

function isList(json: unknown): json is { readonly backends: readonly ProxyBackend[] } {
  return typeof json === 'object' && json !== null && 'backends' in json && Array.isArray(json.backends);
}
