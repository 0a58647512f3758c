import { generateKeyRing, type KeyRing } from '../shared/key-ring.js';
import { unknownName } from '../shared/unknown-name.js';
import type { DescribeClient } from './client.js';
import type { CookieOptions } from './cookie.js';
import { defaultLimits, type SessionLimits } from './session.js';
import type { SessionStore, StoreEntry, StoreSettings, StoreTransition } from './session-store.js';
import type { TokenNames } from './session-strategy.js';
import { type Sessions, serveSessions } from './sessions.js';
import { stores } from './stores/registry.js';
import { strategies } from './strategies/registry.js';

export interface OpenOptions {
  /** A key of `strategies/registry.ts`. */
  readonly strategy: string;
  /** Stands in front of every key in the store. Default: `holdfast`. */
  readonly keyPrefix?: string;
  /** The names in the tokens of `jwt`. */
  readonly tokenNames?: TokenNames;
  /** A key of `stores/registry.ts`, or a store that is in no registry. */
  readonly store: string | StoreEntry;
  readonly storeUrl: string | undefined;
  readonly limits?: Partial<SessionLimits>;
  /** Returns the keys for signed or sealed tokens; called for each use. Default: one fresh key that only this process
   * has. */
  readonly keys?: () => KeyRing;
  /** False disables revocation: a token stays valid until it expires. For comparison only. */
  readonly revocation?: boolean;
  /** While the list of revoked sessions is older, requests are answered with 503. Default: no limit. */
  readonly feedAgeMaxMs?: number | undefined;
  /** Wraps the store: a list that processes share, or a planted defect. */
  readonly decorateStore?: (store: SessionStore) => SessionStore;
  readonly now?: () => number;
  readonly cookie?: CookieOptions;
  /** Maximum number of sessions of one user. Default: no maximum. */
  readonly maxPerUser?: number;
  /** Returns the client that the list of sessions shows. Default: the address of the connection and `User-Agent`. */
  readonly describeClient?: DescribeClient | undefined;
  /** Receives every error that is not a `SessionError`. Default: writes it to stderr. */
  readonly onError?: (error: unknown) => void;
  /** Called when the store is lost and when it is back. */
  readonly onTransition?: (transition: StoreTransition) => void;
  /** Called when a setting of the store's server endangers what is promised. Default: writes it to stderr. */
  readonly onWarning?: (warning: string) => void;
}

/** Opens the sessions. Rejects for an unknown name, and for an address that the store cannot use. */
export async function openSessions(options: OpenOptions): Promise<Sessions> {
  const [strategy, entry] = await Promise.all([
    pick('strategy', options.strategy, strategies),
    typeof options.store === 'string' ? pick('session store', options.store, stores) : options.store,
  ]);
  const { now = Date.now, onError = console.error, onTransition, storeUrl: url } = options;
  const { onWarning = console.error, feedAgeMaxMs, tokenNames } = options;
  const wanted = { ...defaultLimits, ...options.limits };
  const limits = { ...wanted, dataBytesMax: Math.min(wanted.dataBytesMax, entry.capabilities.dataBytesMax) };
  const settings: StoreSettings = {
    ...{ url, deadlineMs: limits.storeDeadlineMs, keyPrefix: options.keyPrefix, now, onTransition, onWarning },
  };
  const { keys = generateOnce(), revocation = true, decorateStore = store => store } = options;
  const needsFeed = revocation && strategy.needsFeed;
  if (needsFeed && entry.openFeed === undefined) throw new Error(withoutFeed(options));
  const store = decorateStore(entry.open(settings));
  // It reports no transitions: the store uses the same server and reports them.
  const feed = needsFeed ? entry.openFeed?.({ ...settings, onTransition: undefined }) : undefined;
  const parts = feed === undefined ? [store] : [store, feed];
  return serveSessions({
    strategy: strategy.open({ store, feed, feedAgeMaxMs, tokenNames, keys, limits, now }),
    ready: async withinMs => (await Promise.all(parts.map(part => part.ready(withinMs)))).every(Boolean),
    cookie: options.cookie,
    limits,
    ...(options.maxPerUser === undefined ? {} : { maxPerUser: options.maxPerUser }),
    describeClient: options.describeClient,
    now,
    onError,
  });
}

function withoutFeed({ strategy, store }: OpenOptions): string {
  const name = typeof store === 'string' ? `"${store}"` : 'this store';
  return `the strategy "${strategy}" needs a store with a list of revoked tokens; ${name} has none`;
}

function generateOnce(): () => KeyRing {
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
