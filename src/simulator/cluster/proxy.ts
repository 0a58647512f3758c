import type { ModeName } from '../../modes.js';
import { packageFile } from '../../shared/package.js';
import type { ExternalProxy } from './external/external-proxy.js';
import { answersOk } from './probe.js';
import type { ProcessSpec } from './processes/process-member.js';

const cli = packageFile('dist/cli.js');

/** Settings of the proxy under test. Absent settings keep the proxy's defaults. Durations are milliseconds. */
export interface ProxySpec {
  /** Number of proxies. They share one key ring. Default: 1. */
  readonly count?: number;
  readonly health?: {
    readonly path?: string;
    readonly everyMs: number;
    readonly timeoutMs: number;
    readonly fall: number;
    readonly rise: number;
  };
  readonly policy?: string;
  readonly hashKey?: string;
  readonly slowStartMs?: number;
  readonly drainMs?: number;
  readonly maxconn?: number;
  readonly queue?: number;
  readonly queueTimeoutMs?: number;
  /** `temporary`: a browser returns to its backend when that backend answers again. */
  readonly affinity?: 'on' | 'off' | 'temporary';
  /** Default: 127.0.0.1. A port that is absent or 0 is chosen by the lab. */
  readonly host?: string;
  readonly port?: number;
  readonly adminPort?: number;
  readonly engine?: string;
  /** Further flags as on the command line, for example `--pool=shop`. */
  readonly extra?: readonly string[];
  /** A Node program with the same command line. Default: the proxy of Holdfast. */
  readonly program?: string;
  /** Another proxy in place of Holdfast's. Of the keys above, its template decides which ones it can follow. */
  readonly external?: ExternalProxy | undefined;
}

export interface ProxyPlace {
  readonly name: string;
  /** The key ring of all proxies, also after a restart: each proxy reads the cookies of all, and its own old ones. */
  readonly secrets: string;
  readonly mode: ModeName;
  readonly port: number;
  readonly adminPort: number;
  readonly backendPorts: readonly number[];
}

export function proxySpec(spec: ProxySpec, place: ProxyPlace): ProcessSpec {
  return {
    name: place.name,
    role: 'proxy',
    port: place.port,
    command: process.execPath,
    args: [spec.program ?? cli, 'proxy', ...buildFlags(spec, place)],
    env: { HOLDFAST_SECRETS: place.secrets },
    answers: withinMs => answersOk(`http://127.0.0.1:${place.adminPort}/backends`, withinMs),
    remedy: 'run the same command by hand to see its output',
  };
}

/** Returns the names of the proxies: `proxy`, or `proxy-1` and `proxy-2`. */
export function proxyNames({ count = 1 }: Pick<ProxySpec, 'count'>): readonly string[] {
  return count === 1 ? ['proxy'] : Array.from({ length: count }, (_, index) => `proxy-${index + 1}`);
}

function buildFlags(
  { health, policy, hashKey, slowStartMs, drainMs, affinity, host, engine, extra = [], ...limits }: ProxySpec,
  place: ProxyPlace,
): string[] {
  const options: Record<string, string | number | undefined> = {
    mode: place.mode,
    host: host ?? '127.0.0.1',
    port: place.port,
    'admin-port': place.adminPort,
    policy,
    'hash-key': hashKey,
    'slow-start': formatMs(slowStartMs),
    drain: formatMs(drainMs),
    maxconn: limits.maxconn,
    queue: limits.queue,
    'queue-timeout': formatMs(limits.queueTimeoutMs),
    'health-path': health?.path,
    'health-interval': formatMs(health?.everyMs),
    'health-timeout': formatMs(health?.timeoutMs),
    'health-fall': health?.fall,
    'health-rise': health?.rise,
    affinity: affinity === 'temporary' ? 'on' : affinity,
    'on-lost-affinity': affinity === 'temporary' ? affinity : undefined,
    engine,
  };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const backends = place.backendPorts.flatMap(port => ['--backend', `http://127.0.0.1:${port}`]);
  return [...given.flatMap(([name, value]) => [`--${name}`, String(value)]), ...backends, ...extra];
}

function formatMs(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${value}ms`;
}
