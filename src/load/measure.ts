import autocannon from 'autocannon';

/**
 * The peak throughput of one target, with `connections` keep-alive connections that always have a request in flight.
 */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
  readonly requests: number;
  /** Answers other than 2xx. */
  readonly non2xx: number;
  /** Connections that broke, and requests that ran into the time limit. */
  readonly errors: number;
}

interface LoadTarget {
  /** Must be on loopback: loads go nowhere else. */
  readonly url: string;
  /** Cookie headers of logged-in users, assigned to the connections in turn. */
  readonly cookies: readonly string[];
  readonly connections: number;
  readonly durationS: number;
}

/**
 * Measures a target with autocannon. It does not use autocannon's rate limit and omission correction, because the
 * simulator measures the latency under faults. An abort stops the load early; the result until then is returned.
 */
export async function measure(target: LoadTarget, signal: AbortSignal): Promise<LoadResult> {
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

const toyPassword = 'secret';

/** Logs `count` users into the toy shop and adds one item to each cart. Returns their Cookie headers. */
export async function logIn(origin: string, count: number): Promise<string[]> {
  const users = Array.from({ length: count }, (_, index) => `load-${index + 1}`);
  return Promise.all(users.map(user => logInOne(origin, user)));
}

async function logInOne(origin: string, user: string): Promise<string> {
  const login = await post(`${origin}/login`, { user, password: toyPassword });
  const cookie = login.headers
    .getSetCookie()
    .map(line => line.split(';')[0])
    .join('; ');
  await post(`${origin}/cart`, { sku: 'load-1' }, { cookie });
  return cookie;
}

async function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`POST ${url} answered ${response.status} before the load; expected 2xx.`);
  return response;
}
