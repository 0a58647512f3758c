import { randomBytes } from 'node:crypto';
import type { RunningProxy } from '#src/proxy/options.js';
import { defaultProxyOptions, startProxy } from '#src/proxy/start-proxy.js';
import type { ShopProcess } from './with-shop.js';

/** One key for all proxies: a proxy that is started again reads the cookies of the previous one. */
const keys = [{ id: 'test', secret: randomBytes(32) }];

/** A proxy in front of backend-1, backend-2, ... It detects a failure within a second, or within two `probeMs` if a
 * test needs the time in between. */
export async function withProxy<T>(
  shops: readonly ShopProcess[],
  { sticky, port = 0, probeMs = 500 }: { readonly sticky: boolean; readonly port?: number; readonly probeMs?: number },
  work: (proxy: RunningProxy) => Promise<T>,
): Promise<T> {
  const affinity = {
    pool: 'shop',
    keys,
    idleMs: 60_000,
    absoluteMs: 60_000,
    sameSite: 'Lax',
    onLost: 'rebind',
  } as const;
  const proxy = await startProxy({
    ...defaultProxyOptions,
    port,
    admin: undefined,
    backends: shops.map(({ url }, index) => ({ name: `backend-${index + 1}`, url: new URL(url) })),
    affinity: sticky ? affinity : undefined,
    health: { ...defaultProxyOptions.health, everyMs: 250, transitionMs: 100, timeoutMs: probeMs, fall: 2 },
    onEvent: () => undefined,
  });
  try {
    return await work(proxy);
  } finally {
    await proxy.close(0);
  }
}
