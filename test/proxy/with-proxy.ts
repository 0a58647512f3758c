import type { RequestListener } from 'node:http';
import type { AffinityOptions, HealthOptions, ProxyEvent, ProxyOptions } from '#src/proxy/options.js';
import { defaultProxyOptions, startProxy } from '#src/proxy/start-proxy.js';
import { type Answer, type Asked, ask } from './ask.js';
import { type Toy, withToys } from './toy-backend.js';

export const affinity: AffinityOptions = {
  pool: 'default',
  keys: [{ id: 'k1', secret: Buffer.alloc(32, 1) }],
  idleMs: 30 * 60_000,
  absoluteMs: 8 * 60 * 60_000,
  sameSite: 'Lax',
  onLost: 'rebind',
};

/**
 * Fast checks: a backend goes up or down in a tenth of a second. A dead one refuses connections at once. The time-out
 * is long, because on a busy machine a healthy backend may answer late.
 */
export const quickHealth: HealthOptions = {
  path: '/health',
  everyMs: 50,
  transitionMs: 20,
  timeoutMs: 5_000,
  fall: 2,
  rise: 2,
};

/** Slow: the proxy learns only from the test's requests. */
export const blindHealth: HealthOptions = { ...quickHealth, everyMs: 60_000, transitionMs: 60_000, fall: 1000 };

export interface TestProxy {
  readonly url: string;
  readonly events: readonly ProxyEvent[];
  ask(path: string, asked?: Asked): Promise<Answer>;
  /** Asks with one cookie. */
  as(cookie: string | undefined, path?: string, asked?: Asked): Promise<Answer>;
  /** Resolves with the first matching event, past or future. */
  event(fits: (event: ProxyEvent) => boolean): Promise<ProxyEvent>;
  /** Ignores all events up to now. */
  forget(): void;
  goes(backend: string, to: string): Promise<ProxyEvent>;
  admin(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Returns one backend from `GET /backends`. */
  view(backend: string): Promise<Record<string, unknown>>;
  /** Returns the value of a metric with these labels; 0 when there is none. */
  metric(name: string): Promise<number>;
  /** Reloads with these options on top of the original ones. */
  reload(changed: Partial<ProxyOptions>): Promise<void>;
  close(graceMs: number): Promise<void>;
}

export async function withProxy(
  toys: readonly Pick<Toy, 'name' | 'url'>[],
  options: Partial<ProxyOptions>,
  use: (proxy: TestProxy) => Promise<void>,
): Promise<void> {
  const log = new EventLog();
  const given: ProxyOptions = {
    ...defaultProxyOptions,
    port: 0,
    admin: { host: '127.0.0.1', port: 0, token: undefined },
    backends: toys.map(({ name, url }) => ({ name, url })),
    affinity,
    health: quickHealth,
    slowStartMs: 0,
    ...options,
    onEvent: event => log.add(event),
  };
  const running = await startProxy(given);
  const { url, adminUrl = '' } = running;
  const admin: TestProxy['admin'] = (method, path, body) =>
    ask(adminUrl, path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  try {
    await use({
      url,
      events: log.events,
      ask: (path, asked) => ask(url, path, asked),
      as: (cookie = '', path = '/', asked = {}) => ask(url, path, { ...asked, headers: { ...asked.headers, cookie } }),
      event: fits => log.find(fits),
      forget: () => log.events.splice(0),
      goes: (backend, to) =>
        log.find(event => event.kind === 'backend' && event.backend === backend && event.to === to),
      admin,
      view: async backend => {
        const { backends } = JSON.parse((await admin('GET', '/backends')).text);
        return backends.find(({ name }: { name: string }) => name === backend);
      },
      metric: async name => {
        const line = (await admin('GET', '/metrics')).text.split('\n').find(line => line.startsWith(`${name} `));
        return Number(line?.slice(name.length + 1) ?? 0);
      },
      reload: changed => running.reload(() => ({ ...given, ...changed })),
      close: running.close,
    });
  } finally {
    await running.close(0);
  }
}

/** Runs the proxy in front of backends that run while `use` runs. */
export function withPool(
  handles: readonly (RequestListener | undefined)[],
  options: Partial<ProxyOptions>,
  use: (proxy: TestProxy, ...toys: Toy[]) => Promise<void>,
): Promise<void> {
  return withToys(handles, (...toys) => withProxy(toys, options, proxy => use(proxy, ...toys)));
}

class EventLog {
  readonly events: ProxyEvent[] = [];
  readonly #looks = new Set<() => void>();

  add(event: ProxyEvent): void {
    this.events.push(event);
    for (const look of this.#looks) look();
  }

  find(fits: (event: ProxyEvent) => boolean): Promise<ProxyEvent> {
    return new Promise(resolve => {
      const look = (): void => {
        const found = this.events.find(fits);
        if (found === undefined) return;
        this.#looks.delete(look);
        resolve(found);
      };
      this.#looks.add(look);
      look();
    });
  }
}
