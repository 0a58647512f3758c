import type { KeyRing } from '../shared/key-ring.js';
import type { WorkerShare } from './affinity/issue-times.js';
import type { BackendTls } from './backend-tls.js';
import type { BackendState } from './backends.js';
import type { EngineLimits } from './exchange.js';
import type { TlsPair } from './front/tls-pair.js';

/** Everything that `startProxy` needs. Durations are milliseconds. Defaults: `defaultProxyOptions`. */
export interface ProxyOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Undefined: no admin API. */
  readonly admin: { readonly host: string; readonly port: number; readonly token: string | undefined } | undefined;
  readonly backends: readonly {
    readonly name: string;
    readonly url: URL;
    /** 1 when absent. */
    readonly weight?: number;
  }[];
  /** A key of `engines/registry.ts`. */
  readonly engine: string;
  /** A key of `routing-policies/registry.ts`. */
  readonly policy: string;
  /** What a policy that hashes hashes: see `hash-key.ts`. */
  readonly hashKey: string;
  /** How long a backend that joined or failed takes until it has its whole share again; 0: no time. */
  readonly slowStartMs: number;
  /** Undefined: any backend serves anyone. */
  readonly affinity: AffinityOptions | undefined;
  readonly health: HealthOptions;
  /** How long a draining backend keeps the browsers bound to it (sticky: 300 s, others: 30 s). */
  readonly drainMs: number;
  readonly limits: EngineLimits;
  /** TLS, and nothing else, is spoken on the port; undefined: plain HTTP. Read by `readTlsPair`, or `devCertificate`. */
  readonly tls?: TlsPair | undefined;
  /** Every connection begins with a PROXY header; it is taken from whoever is in `trusted`, and from nobody else. */
  readonly proxyProtocol?: boolean;
  /** Addresses and networks of the proxies in front whose X-Forwarded-For, -Proto and Forwarded are believed. */
  readonly trusted: readonly string[];
  /** For backends with `https:` URLs; undefined: verified against the authorities that Node knows. */
  readonly backendTls?: BackendTls | undefined;
  /** Backends are told the way in a `Forwarded` field too (RFC 7239). */
  readonly forwarded?: boolean;
  /** Each answer says which backend gave it, and which boot of it, in place of what it may have said itself. */
  readonly namesBackends?: boolean;
  /** A file that gets one line of JSON for each request (`access-log.ts`); `-` is stdout. Undefined: none. */
  readonly accessLog?: string | undefined;
  /** Processes that serve; 1, unless given, is this process itself. */
  readonly workers?: number;
  readonly onEvent: (event: ProxyEvent) => void;
}

export interface AffinityOptions {
  /** Part of the MAC and, when given, of the cookie's name: two pools under one host do not read each other's. */
  readonly pool: string;
  /** The newest first: it signs; the others still verify. Each at least 32 bytes. */
  readonly keys: KeyRing;
  readonly idleMs: number;
  readonly absoluteMs: number;
  readonly sameSite: 'Lax' | 'Strict' | 'None';
  readonly onLost: 'rebind' | 'temporary' | 'strict';
}

export interface HealthOptions {
  readonly path: string;
  readonly everyMs: number;
  /** Between two probes of a backend that is changing sides. */
  readonly transitionMs: number;
  readonly timeoutMs: number;
  readonly fall: number;
  readonly rise: number;
}

/** What happened, as edges: one event when a backend goes down, never one per probe. */
export type ProxyEvent =
  | {
      readonly kind: 'backend';
      readonly backend: string;
      readonly from: BackendState;
      readonly to: BackendState;
      readonly reason: string;
    }
  /** It is new here, and its first health check failed: it is down, and never was anything else. */
  | { readonly kind: 'absent'; readonly backend: string; readonly asked: string; readonly reason: string }
  | { readonly kind: 'incarnation'; readonly backend: string; readonly incarnation: string }
  | { readonly kind: 'drained'; readonly backend: string; readonly reason: 'empty' | 'window' }
  | { readonly kind: 'listening'; readonly url: string; readonly adminUrl: string | undefined }
  /** Other options hold now, but for those that need a restart. Both are words for the log: see `reload.ts`. */
  | { readonly kind: 'reloaded'; readonly changes: readonly string[]; readonly needsRestart: readonly string[] }
  /** They could not be read or used: nothing has changed. */
  | { readonly kind: 'reload-refused'; readonly reason: string }
  | {
      readonly kind: 'worker-lost';
      readonly pid: number;
      /** Its signal or exit code. */
      readonly reason: string;
      /** Undefined: nobody takes its place any more. */
      readonly replacedBy: number | undefined;
    }
  | { readonly kind: 'closing'; readonly inFlight: number };

export interface RunningProxy {
  readonly url: string;
  readonly adminUrl: string | undefined;
  /**
   * Goes on with the options that `read` gives, without letting go of a connection; when it throws, or they cannot be
   * used, nothing changes. Either way it is told as an event. A log file is opened anew even if nothing has changed.
   * Resolves when all is done; calls are carried out one after the other.
   */
  reload(read: () => ProxyOptions | Promise<ProxyOptions>): Promise<void>;
  /** Resolves when it cannot go on, with the reason as a sentence; what still serves does so until it is closed. */
  readonly failed: Promise<string>;
  /** Stops accepting, lets what is in flight finish for at most `graceMs`, stops the probes. Idempotent. */
  close(graceMs: number): Promise<void>;
}

/** What serving needs to know. Plain data: it can be sent to another process. */
export interface ServingOptions
  extends Omit<ProxyOptions, 'admin' | 'backends' | 'health' | 'drainMs' | 'workers' | 'onEvent'> {
  /** Which of several workers this is. */
  readonly share?: WorkerShare;
}

/** Whatever else is there, functions or the admin token, has no business in another process. */
export function servingOptions(options: ProxyOptions): ServingOptions {
  const { admin, backends, health, drainMs, workers, onEvent, ...serving } = options;
  return serving;
}
