import type { RevocationFeed } from './revocation-feed.js';
import type { SessionRecord, SessionSummary } from './session.js';

/**
 * Where the reference strategy keeps its records. Implementations: `stores/registry.ts`.
 *
 * `id` is the secret of the cookie; a store keys on its SHA-256 only, so that a leaked dump opens no session.
 * Every call settles within the deadline that the store was made with and rejects with `StoreUnavailable` when the
 * store cannot be reached or is late; after `close` every call rejects with it. Records past either of their two
 * deadlines, by the clock of the caller and no other, are not there. A record that cannot be read (foreign bytes, another
 * format) is not there either.
 */
export interface SessionStore {
  read(id: string): Promise<SessionRecord | undefined>;
  /** Rejects with `SessionExists` rather than overwrite. */
  create(id: string, record: SessionRecord): Promise<void>;
  /** Only over `record.version - 1`, in one atomic step, and only the data: the deadlines stay those of the store, so
   * that a late write takes back no touch. `gone`: no such session any more; it is never revived. */
  replace(id: string, record: SessionRecord): Promise<'saved' | 'conflict' | 'gone'>;
  /** Moves the idle deadline only, never past the absolute one; false when the session is gone. */
  touch(id: string, idleUntilMs: number): Promise<boolean>;
  /** Removing what is not there is no error, it is `gone`. With `onlyVersion` it removes that version or nothing, in
   * one atomic step: a rotation must not take a change with it that came between. */
  remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'>;
  /** At most 1,000 of the living. Who ends those and lists again comes to all of them. */
  listByUser(user: string): Promise<readonly SessionSummary[]>;
  /** Removes the session of `user` with this handle; false when there is none. Somebody else's session is none. A
   * hundred calls at the same time are in time as well. */
  removeByHandle(user: string, handle: string): Promise<boolean>;
  /** Removes every session of everyone. */
  clear(): Promise<void>;
  /** What the store's server counts of itself and a user would feel, such as `evictions`; at most a second old. */
  statistics?(): Promise<Readonly<Record<string, number>>>;
  /** Resolves true as soon as the store can serve, false when it cannot within `withinMs`. Never rejects. */
  ready(withinMs: number): Promise<boolean>;
  /** Frees connections and timers. A second call is no error. */
  close(): Promise<void>;
}

/** What a store can promise; printed by the comparison, used by the contract suite. */
export interface StoreCapabilities {
  readonly compareAndSet: boolean;
  /** What of an acknowledged write survives. */
  readonly durability: 'process' | 'store-process' | 'disk';
  readonly revocationLagMs: number;
  readonly dataBytesMax: number;
  /** Of `read` and of `replace`. One each where nothing else is said; none where the store is in the process itself. */
  readonly roundTrips?: RoundTrips;
}

export interface RoundTrips {
  readonly read: number;
  readonly write: number;
}

/** The store was lost (`up: false`, with the reason) or is back. Told once per change, not once per failed call. */
export interface StoreTransition {
  readonly up: boolean;
  readonly why: string;
}

export interface StoreSettings {
  /** Address of the store server where there is one, for example `redis://127.0.0.1:6379`. */
  readonly url: string | undefined;
  readonly deadlineMs: number;
  readonly now: () => number;
  readonly onTransition?: ((edge: StoreTransition) => void) | undefined;
}

export interface StoreEntry {
  readonly capabilities: StoreCapabilities;
  open(settings: StoreSettings): SessionStore;
  /** Where the store's server can also tell every backend of revoked tokens: how to listen to it. */
  openFeed?(settings: StoreSettings): RevocationFeed;
}
