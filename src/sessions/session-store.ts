import type { SessionRecord, SessionSummary } from './session.js';

/**
 * Where the reference strategy keeps its records. Implementations: `stores/registry.ts`.
 *
 * `id` is the secret of the cookie; a store keys on its SHA-256 only, so that a leaked dump opens no session.
 * Every call settles within the deadline that the store was made with and rejects with `StoreUnavailable` when the
 * store cannot be reached or is late; after `close` every call rejects with it. Records past either of their two
 * deadlines are not there. A record that cannot be read (foreign bytes, another format) is not there either.
 */
export interface SessionStore {
  read(id: string): Promise<SessionRecord | undefined>;
  /** Rejects with `SessionExists` rather than overwrite. */
  create(id: string, record: SessionRecord): Promise<void>;
  /** Only over `record.version - 1`, in one atomic step. `gone`: no such session any more; it is never revived. */
  replace(id: string, record: SessionRecord): Promise<'saved' | 'conflict' | 'gone'>;
  /** Moves the idle deadline only, never past the absolute one; false when the session is gone. */
  touch(id: string, idleUntilMs: number): Promise<boolean>;
  /** Removing what is not there is no error. */
  remove(id: string): Promise<void>;
  listByUser(user: string): Promise<readonly SessionSummary[]>;
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
}

export interface StoreSettings {
  /** Address of the store server where there is one, for example `redis://127.0.0.1:6379`. */
  readonly url: string | undefined;
  readonly deadlineMs: number;
  readonly now: () => number;
}

export interface StoreEntry {
  readonly capabilities: StoreCapabilities;
  open(settings: StoreSettings): SessionStore;
}
