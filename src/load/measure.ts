import autocannon from 'autocannon';

/** Peak throughput of one target: as many requests as `connections` keep-alive connections can have answered. */
export interface Load {
  readonly requestsPerSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
  readonly requests: number;
  /** Answers other than 2xx. */
  readonly non2xx: number;
  /** Connections that broke, and requests that ran into the time limit. */
  readonly errors: number;
}

export interface LoadTarget {
  /** On loopback: loads go nowhere else. */
  readonly url: string;
  /** One Cookie header per connection, dealt in turn: every connection is another logged-in user. */
  readonly cookies: readonly string[];
  readonly connections: number;
  readonly durationS: number;
}

/**
 * Measures with autocannon. Its rate limit and omission correction are not used: honest latency under a fault is the
 * simulator's business. Aborting stops the load early; what was measured until then is returned.
 */
export async function measure(target: LoadTarget, signal: AbortSignal): Promise<Load> {
  const { hostname } = new URL(target.url);
  if (!/^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(hostname))
    throw new Error(`loads go to loopback only, not to ${hostname}`);
  const result = await run(target, signal);
  return {
    requestsPerSecond: result.requests.average,
    latencyMs: { p50: result.latency.p50, p90: result.latency.p90, p99: result.latency.p99, max: result.latency.max },
    requests: result.requests.total,
    non2xx: result.non2xx,
    errors: result.errors,
  };
}

function run({ url, cookies, connections, durationS }: LoadTarget, signal: AbortSignal): Promise<autocannon.Result> {
  let next = 0;
  const setupClient = (client: autocannon.Client) => {
    client.setHeaders({ cookie: cookies[next++ % cookies.length] });
  };
  return new Promise((resolve, reject) => {
    const running = autocannon({ url, connections, duration: durationS, setupClient }, (error, result) => {
      signal.removeEventListener('abort', stop);
      if (error) reject(error);
      else resolve(result);
    });
    const stop = () => running.stop();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
  });
}
