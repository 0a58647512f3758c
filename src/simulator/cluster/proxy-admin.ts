import { ask } from './ask.js';
import type { Member, ProxyAdmin, ProxyBackend } from './cluster.js';

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

/** What is asked of each proxy that is up: one that is killed or stopped has no say. */
export function adminOfAll(
  proxies: readonly { readonly member: Pick<Member, 'state'>; readonly admin: ProxyAdmin }[],
): ProxyAdmin {
  async function each<T>(ask: (admin: ProxyAdmin) => Promise<T>): Promise<readonly T[]> {
    const up = proxies.length === 1 ? proxies : proxies.filter(({ member }) => member.state === 'up');
    if (up.length === 0) throw new Error('no proxy is up');
    return Promise.all(up.map(({ admin }) => ask(admin)));
  }
  return {
    drain: async backend => void (await each(admin => admin.drain(backend))),
    ready: async backend => void (await each(admin => admin.ready(backend))),
    async backends() {
      const [first = [], ...others] = await each(admin => admin.backends());
      return first.map(backend => others.flat().filter(isSame(backend)).reduce(together, backend));
    },
  };
}

const isSame =
  ({ name }: ProxyBackend) =>
  (other: ProxyBackend) =>
    other.name === name;

const worstFirst: readonly ProxyBackend['state'][] = ['down', 'ejected', 'draining', 'ready'];

function together(one: ProxyBackend, other: ProxyBackend): ProxyBackend {
  return {
    name: one.name,
    state: worstFirst.find(state => one.state === state || other.state === state) ?? one.state,
    drained: one.drained && other.drained,
    inFlight: one.inFlight + other.inFlight,
    bound: one.bound + other.bound,
  };
}

function isList(json: unknown): json is { readonly backends: readonly ProxyBackend[] } {
  return typeof json === 'object' && json !== null && 'backends' in json && Array.isArray(json.backends);
}
