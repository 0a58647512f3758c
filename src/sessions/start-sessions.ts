import { unknownName } from '../unknown-name.js';
import { defaultLimits, type SessionLimits } from './session.js';
import type { StoreEdge } from './session-store.js';
import { type Sessions, serveSessions } from './sessions.js';
import { stores } from './stores/registry.js';
import { strategies } from './strategies/registry.js';

export interface OpenOptions {
  /** A key of `strategies/registry.ts`. */
  readonly strategy: string;
  /** A key of `stores/registry.ts`. */
  readonly store: string;
  readonly storeUrl: string | undefined;
  readonly limits?: Partial<SessionLimits>;
  readonly now?: () => number;
  /** Whether every request came over TLS; otherwise `X-Forwarded-Proto: https` says so request by request. */
  readonly secure?: boolean;
  /** Told of every error that is none of ours; by default written to stderr. */
  readonly onError?: (error: unknown) => void;
  /** Told when the store is lost and when it is back. */
  readonly onEdge?: (edge: StoreEdge) => void;
}

/** Throws for an unknown name and for an address that the store cannot use. */
export function openSessions(options: OpenOptions): Sessions {
  const strategy = pick('strategy', options.strategy, strategies);
  const entry = pick('session store', options.store, stores);
  const { now = Date.now, secure = false, onError = console.error, onEdge, storeUrl: url } = options;
  const wanted = { ...defaultLimits, ...options.limits };
  const limits = { ...wanted, dataBytesMax: Math.min(wanted.dataBytesMax, entry.capabilities.dataBytesMax) };
  const store = entry.open({ url, deadlineMs: limits.storeDeadlineMs, now, onEdge });
  return serveSessions({
    strategy: strategy.open({ store, limits, now }),
    ready: withinMs => store.ready(withinMs),
    secure,
    onError,
  });
}

function pick<Entry>(kind: string, name: string, registry: Record<string, Entry>): Entry {
  const entry = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (entry === undefined) throw new Error(unknownName(kind, name, Object.keys(registry)));
  return entry;
}
