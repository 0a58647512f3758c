import type { KeyRing } from '../shared/key-ring.js';
import type { BackendState } from './backends.js';
import type { EngineLimits } from './exchange.js';
import type { TlsPair } from './front/tls-pair.js';
import type { BackendTls } from './sockets.js';
import type { RequestIdMode } from './telemetry/served-request.js';

/** All options of `startProxy`. Durations are milliseconds. Defaults: `defaultProxyOptions`. */
export interface ProxyOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Undefined: no admin API. */
  readonly admin: AdminOptions | undefined;
  /** Serves only `/live` and `/ready`, for probes from other machines. Undefined: only the admin API serves them. */
  readonly healthListen?: TcpAddress | undefined;
  readonly backends: readonly {
    readonly name: string;
    readonly url: URL;
    /** See `Backend.identity`. The name, if the operator gave one; absent: the origin of the URL. */
    readonly identity?: string;
    /** 1 when absent. */
    readonly weight?: number;
    /** The most requests that it takes at once; 0: no limit. Absent: `ProxyOptions.maxconn`. */
    readonly maxconn?: number;
    /** Its own time from the end of a request to the head of the answer. Absent: `EngineLimits.responseHeadMs`. */
    readonly responseMs?: number | undefined;
  }[];
  /** Further pools, each with hosts of its own. Everything else goes to `backends`; if that is empty, it gets a 421. */
  readonly hosts?: readonly HostOptions[] | undefined;
  /** Requests to `port` are redirected to the same URL with `https:` and `publicPort`. Undefined: there is no such port. */
  readonly redirect?: { readonly port: number; readonly publicPort: number } | undefined;
  /** A key of `engines/registry.ts`. */
  readonly engine: string;
  /** A key of `routingPolicies`. */
  readonly policy: string;
  /** The key that a hashing policy hashes: see `parseHashKey`. */
  readonly hashKey: string;
  /** Duration of the slow start of a backend that joined or recovered; 0: no slow start. */
  readonly slowStartMs: number;
  /** The most requests that a backend takes at once, where it has no limit of its own; 0: no limit. */
  readonly maxconn: number;
  readonly queue: QueueOptions;
  /** Undefined: affinity is off, and any backend serves any browser. */
  readonly affinity: AffinityOptions | undefined;
  readonly health: HealthOptions;
  /** How long a draining backend keeps its bound browsers (sticky: 300 s, others: 30 s). */
  readonly drainMs: number;
  readonly ejection: EjectionOptions;
  /** How long `close` waits for requests in flight, unless its caller says otherwise. */
  readonly graceMs: number;
  readonly limits: EngineLimits;
  /**
   * Before it stops accepting, the proxy answers `/ready` with 503 for this time, and closes each connection after its
   * answer. Load balancers in front can then take it out. 0 when absent.
   */
  readonly shutdownDelayMs?: number;
  /** With it the port takes only TLS, without it only plain HTTP. Read by `readTlsPair` or made by `makeDevCertificate`. */
  readonly tls?: TlsPair | undefined;
  /** TLS clients may choose HTTP/2, if the engine speaks it. True when absent. */
  readonly http2?: boolean | undefined;
  /** Every connection begins with a PROXY header. Only peers in `trusted` may connect. */
  readonly proxyProtocol?: boolean;
  /** Addresses and networks of the proxies in front. Their X-Forwarded-For, -Proto and Forwarded are believed. */
  readonly trusted: readonly string[];
  /** TLS settings for backends with `https:` URLs; undefined: verified against Node's certificate authorities. */
  readonly backendTls?: BackendTls | undefined;
  /** Backends also get a `Forwarded` field (RFC 7239). */
  readonly forwarded?: boolean;
  /** Each answer names its backend and that backend's boot. This replaces what the backend said itself. */
  readonly namesBackends?: boolean;
  /** A file that gets one line of JSON per request (`access-log.ts`); `-` is stdout. Undefined: no log. */
  readonly accessLog?: string | undefined;
  /** Whether requests get an id, in `X-Request-Id` and in the log; absent: off. */
  readonly requestId?: RequestIdMode;
  /** The open connections of one client address; 0 or absent: no limit. Peers in `trusted` are not limited. */
  readonly connectionsPerAddressMax?: number;
  /** The requests per second of one client address, and their burst; 0 or absent: no limit. */
  readonly requestsPerAddressMax?: number;
  /** Number of processes that serve; 1, the default, is this process itself. */
  readonly workers?: number;
  readonly onEvent: (event: ProxyEvent) => void;
}

export interface TcpAddress {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

/** `path`: a Unix socket that only this user can open. `token`: every request must carry it. */
export type AdminOptions = (TcpAddress | { readonly path: string }) & { readonly token: string | undefined };

/** The options that each pool has for itself. */
export const poolOptionNames = [
  'backends',
  'policy',
  'hashKey',
  'slowStartMs',
  'affinity',
  'health',
  'drainMs',
  'maxconn',
  'queue',
  'ejection',
] as const satisfies readonly (keyof ProxyOptions)[];

export type PoolOptions = Pick<ProxyOptions, (typeof poolOptionNames)[number]>;

/** A pool for one host, or for all hosts below a name. The names of its backends begin with the host and a colon. */
export interface HostOptions extends PoolOptions {
  /** In lower case: `shop.example.com`, or `*.example.com` for all names below it. */
  readonly host: string;
  /** Undefined: the pair at the top of the options. */
  readonly tls?: TlsPair | undefined;
}

export interface AffinityOptions {
  /**
   * Part of the MAC and, unless it is the default, of the cookie's name. Pools on one host ignore each other's cookies.
   */
  readonly pool: string;
  /** The newest key comes first and signs; the others only verify. Each has at least 32 bytes. */
  readonly keys: KeyRing;
  readonly idleMs: number;
  readonly absoluteMs: number;
  readonly sameSite: 'Lax' | 'Strict' | 'None';
  readonly onLost: 'rebind' | 'temporary' | 'strict';
  /** Undefined: the proxy sets a cookie of its own. */
  readonly learnFrom?: LearnFrom | undefined;
}

/** The queue of requests whose backends are full (`maxconn`). */
export interface QueueOptions {
  readonly lengthMax: number;
  readonly timeoutMs: number;
}

/** Where the app's own session token stands, in requests and in answers. */
export type LearnFrom = { readonly cookie: string } | { readonly header: string };

export interface HealthOptions {
  readonly path: string;
  readonly everyMs: number;
  /** Pause between two probes while a backend is changing from up to down or back. */
  readonly transitionMs: number;
  readonly timeoutMs: number;
  readonly fall: number;
  readonly rise: number;
}

export interface EjectionOptions {
  /** This many failures in a row eject a backend: it takes no new browsers. 0: never. */
  readonly after: number;
  /** Duration of the first ejection. The second lasts twice as long, and so on. */
  readonly forMs: number;
  readonly forMsMax: number;
}

/** Something that has changed: one event when a backend goes down, not one per probe. */
export type ProxyEvent =
  | {
      readonly kind: 'backend';
      readonly backend: string;
      readonly from: BackendState;
      readonly to: BackendState;
      readonly reason: string;
    }
  /** The first health check of a new backend failed. It is down and was never up. */
  | { readonly kind: 'absent'; readonly backend: string; readonly asked: string; readonly reason: string }
  | {
      readonly kind: 'incarnation';
      readonly backend: string;
      readonly incarnation: string;
      /** How often it changed since the last report; 1 when absent. */
      readonly changes?: number;
    }
  | { readonly kind: 'drained'; readonly backend: string; readonly reason: 'empty' | 'window' }
  | {
      readonly kind: 'listening';
      readonly url: string;
      readonly adminUrl: string | undefined;
      /** Where only `/live` and `/ready` are served. */
      readonly healthUrl: string | undefined;
    }
  /** Requests on this URL are redirected to `https:`. */
  | { readonly kind: 'redirecting'; readonly url: string }
  /** New options are in force, except those that need a restart. Both lists are words for the log: see `reload.ts`. */
  | { readonly kind: 'reloaded'; readonly changes: readonly string[]; readonly needsRestart: readonly string[] }
  /** The new options could not be read or used, so nothing has changed. */
  | { readonly kind: 'reload-refused'; readonly reason: string }
  /** A worker is stopped or hangs. It gets no new connections, and is killed and replaced unless it reports again. */
  | { readonly kind: 'worker-silent'; readonly pid: number; readonly silentS: number; readonly killedInS: number }
  | {
      readonly kind: 'worker-lost';
      readonly pid: number;
      /** Its signal or exit code. */
      readonly reason: string;
      /** Undefined: the worker is not replaced. */
      readonly replacedBy: number | undefined;
    }
  | { readonly kind: 'closing'; readonly inFlight: number };

export interface RunningProxy {
  readonly url: string;
  readonly adminUrl: string | undefined;
  /**
   * Switches to the options that `read` returns, without closing a connection. If `read` throws or the options cannot
   * be used, nothing changes. Either result is reported as an event. A log file is reopened even if nothing has
   * changed. Resolves when all is done; calls run one after the other.
   */
  reload(read: () => ProxyOptions | Promise<ProxyOptions>): Promise<void>;
  /** Resolves with a sentence when the proxy cannot go on. The parts that still serve do so until `close`. */
  readonly failed: Promise<string>;
  /**
   * Stops accepting and probing. Waits at most `graceMs` for requests in flight (the option when absent), and ends
   * WebSockets one by one over this time. Idempotent. `hasSuccessor`: a successor has the sockets and serves.
   */
  close(graceMs?: number, hasSuccessor?: boolean): Promise<void>;
}

/** One of the processes that serve side by side: number `nth`, counted from 0, of `of`. */
export interface WorkerShare {
  readonly nth: number;
  readonly of: number;
}

/** The options of a pool that the serving part needs. */
export type PoolServingOptions = Omit<PoolOptions, 'backends' | 'health' | 'drainMs'>;

/** The options of the serving part. Plain data, so it can be sent to another process. */
export interface ServingOptions
  extends PoolServingOptions,
    Omit<
      ProxyOptions,
      | keyof PoolOptions
      | 'hosts'
      | 'admin'
      | 'healthListen'
      | 'redirect'
      | 'graceMs'
      | 'shutdownDelayMs'
      | 'workers'
      | 'onEvent'
    > {
  readonly hosts: readonly (PoolServingOptions & Pick<HostOptions, 'host' | 'tls'>)[];
  /** Hosts without a pool of their own are served. */
  readonly hasDefaultPool: boolean;
  /** Which of several workers this process is. */
  readonly share?: WorkerShare;
}

/** Whether hosts without a pool of their own are served. */
export function hasDefaultPool({ backends, hosts = [] }: Pick<ProxyOptions, 'backends' | 'hosts'>): boolean {
  return backends.length > 0 || hosts.length === 0;
}

/** Drops functions, the admin token and other options that must not reach another process. */
export function pickServingOptions(options: ProxyOptions): ServingOptions {
  const {
    admin,
    healthListen,
    redirect,
    backends,
    health,
    drainMs,
    graceMs,
    shutdownDelayMs,
    workers,
    onEvent,
    hosts = [],
    ...serving
  } = options;
  const plain = hosts.map(({ backends, health, drainMs, ...host }) => host);
  return { ...serving, hosts: plain, hasDefaultPool: hasDefaultPool(options) };
}
