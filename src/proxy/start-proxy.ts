import { Control } from './control/control.js';
import { type ProxyOptions, type RunningProxy, servingOptions } from './options.js';
import { Serving } from './serving.js';
import { Workers } from './workers/workers.js';

/** Where each default comes from stands beside it; the caller adds backends, affinity and what it does with events. */
export const defaultProxyOptions = {
  host: '127.0.0.1',
  port: 8080,
  admin: { host: '127.0.0.1', port: 8081, token: undefined },
  engine: 'wire',
  policy: 'round-robin',
  hashKey: 'address',
  // The shortest that AWS ALB takes.
  slowStartMs: 30_000,
  // HAProxy: inter 2000, fall 3, rise 2.
  health: { path: '/health', everyMs: 2000, transitionMs: 500, timeoutMs: 2000, fall: 3, rise: 2 },
  // AWS ALB: 300 s for a target whose sessions are sticky.
  drainMs: 300_000,
  trusted: [],
  limits: {
    connectMs: 1000,
    responseHeadMs: 30_000,
    idleBodyMs: 30_000,
    clientHeadMs: 10_000,
    headerBytesMax: 16 * 1024,
    headerFieldsMax: 100,
    replayBytesMax: 64 * 1024,
  },
} as const satisfies Partial<ProxyOptions>;

/**
 * Resolves when every backend was probed once and the port is bound. Rejects for an unknown engine or policy, an
 * unusable key ring, and with the system's error when a port cannot be bound; nothing is left running then. `signal`
 * makes it reject while backends are being probed, which takes as long as one that hangs may.
 */
export async function startProxy(options: ProxyOptions, signal?: AbortSignal): Promise<RunningProxy> {
  const { workers = 1 } = options;
  const serving = servingOptions(options);
  const control = new Control(options, (pool, onEvent) =>
    workers === 1 ? new Serving(serving, pool) : new Workers(serving, workers, pool, onEvent),
  );
  const giveUp = () => control.giveUp();
  signal?.addEventListener('abort', giveUp);
  try {
    return await control.start();
  } catch (error) {
    await control.close(0);
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}
