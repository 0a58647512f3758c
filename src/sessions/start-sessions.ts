import { generateKeyRing, type KeyRing } from '../shared/key-ring.js';
import { unknownName } from '../shared/unknown-name.js';
import type { RevocationFeed } from './revocation-feed.js';
import { defaultLimits, type SessionLimits } from './session.js';
import type { SessionStore, StoreEntry, StoreSettings, StoreTransition } from './session-store.js';
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
  /** For tokens that are signed or sealed; asked anew each time. By default one fresh key, known to this process only. */
  readonly keys?: () => KeyRing;
  /** False: tokens cannot be ended before their time. For comparison only. */
  readonly revocation?: boolean;
  /** Puts something between the strategy and its store: a list that processes share, a weakness planted on purpose. */
  readonly decorateStore?: (store: SessionStore) => SessionStore;
  readonly now?: () => number;
  /** Whether every request came over TLS; otherwise `X-Forwarded-Proto: https` says so request by request. */
  readonly secure?: boolean;
  /** Told of every error that is none of ours; by default written to stderr. */
  readonly onError?: (error: unknown) => void;
  /** Told when the store is lost and when it is back. */
  readonly onTransition?: (edge: StoreTransition) => void;
}

/** Rejects for an unknown name and for an address that the store cannot use. */
export async function openSessions(options: OpenOptions): Promise<Sessions> {
  const [strategy, entry] = await Promise.all([
    pick('strategy', options.strategy, strategies),
    pick('session store', options.store, stores),
  ]);
  const { now = Date.now, secure = false, onError = console.error, onTransition, storeUrl: url } = options;
  const wanted = { ...defaultLimits, ...options.limits };
  const limits = { ...wanted, dataBytesMax: Math.min(wanted.dataBytesMax, entry.capabilities.dataBytesMax) };
  const settings: StoreSettings = { url, deadlineMs: limits.storeDeadlineMs, now, onTransition };
  const { keys = onceGenerated(), revocation = true, decorateStore = store => store } = options;
  const store = decorateStore(entry.open(settings));
  const feed = revocation && strategy.needsFeed ? feedOf(options, entry, settings) : undefined;
  const parts = feed === undefined ? [store] : [store, feed];
  return serveSessions({
    strategy: strategy.open({ store, feed, keys, limits, now }),
    ready: async withinMs => (await Promise.all(parts.map(part => part.ready(withinMs)))).every(Boolean),
    secure,
    onError,
  });
}

/** It tells no edges: those of the store, on the same server, say it all. */
function feedOf({ strategy, store }: OpenOptions, entry: StoreEntry, settings: StoreSettings): RevocationFeed {
  const feed = entry.openFeed?.({ ...settings, onTransition: undefined });
  if (feed !== undefined) return feed;
  throw new Error(`the strategy "${strategy}" needs a store that tells of revoked tokens; "${store}" does not`);
}

function onceGenerated(): () => KeyRing {
  const ring = generateKeyRing();
  return () => ring;
}

async function pick<Entry>(
  kind: string,
  name: string,
  registry: Readonly<Record<string, () => Promise<Entry>>>,
): Promise<Entry> {
  const load = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (load === undefined) throw new Error(unknownName(kind, name, Object.keys(registry)));
  return load();
}
