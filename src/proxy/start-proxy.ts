import { Control } from './control/control.js';
import type { ProxyOptions } from './options.js';
import type { ReplaceableProxy, Takeover } from './restart/takeover.js';
import { Serving } from './serving.js';
import { Workers } from './workers/workers.js';

/** Each default has its source beside it. The caller adds backends, affinity and an event handler. */
export const defaultProxyOptions = {
  host: '127.0.0.1',
  port: 8080,
  admin: { host: '127.0.0.1', port: 8081, token: undefined },
  engine: 'wire',
  policy: 'round-robin',
  hashKey: 'address',
  // The minimum of AWS ALB.
  slowStartMs: 30_000,
  maxconn: 0,
  // HAProxy's "timeout queue" is its connect time-out, for which its manual shows 5 s.
  queue: { lengthMax: 1000, timeoutMs: 5000 },
  // HAProxy: inter 2000, fall 3, rise 2.
  health: { path: '/health', everyMs: 2000, transitionMs: 500, timeoutMs: 2000, fall: 3, rise: 2 },
  // AWS ALB uses 300 s for a sticky target.
  drainMs: 300_000,
  // Envoy: 5 failures in a row, at most 300 s. nginx: fail_timeout=10s.
  ejection: { after: 5, forMs: 10_000, forMsMax: 300_000 },
  // Kubernetes sends SIGKILL after 30 s.
  graceMs: 25_000,
  trusted: [],
  limits: {
    // Linux retransmits a lost SYN after 1 s and 3 s. One lost packet must not cost a session.
    connectMs: 4000,
    responseHeadMs: 30_000,
    idleBodyMs: 30_000,
    clientHeadMs: 10_000,
    clientIdleMs: 75_000,
    headerBytesMax: 16 * 1024,
    headerFieldsMax: 100,
    replayBytesMax: 64 * 1024,
    bodyBytesMax: 0,
  },
} as const satisfies Partial<ProxyOptions>;

/**
 * Starts a proxy. Resolves when every backend was probed once and the port is bound. Rejects for an unknown engine or
 * policy and an unusable key ring. Rejects with the system's error when a port cannot be bound. After a rejection
 * nothing is left running. `signal` cancels the first probes, which may hang until their time-out. `takeover`: what the
 * process before it hands over.
 */
export async function startProxy(
  options: ProxyOptions,
  signal?: AbortSignal,
  takeover?: Takeover,
): Promise<ReplaceableProxy> {
  const { workers = 1 } = options;
  const control = new Control(
    options,
    (serving, pool, onEvent) =>
      workers === 1 ? new Serving(serving, pool) : new Workers(serving, workers, pool, onEvent),
    takeover,
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
