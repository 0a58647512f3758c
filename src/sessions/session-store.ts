import { setTimeout as delay } from 'node:timers/promises';
import type { RevocationFeed } from './revocation-feed.js';
import type { Epochs, NewSessionRecord, SessionRecord, SessionSummary } from './session.js';

/**
 * Storage for session records. Implementations: `stores` in `registry.ts`.
 *
 * `id` is the secret in the cookie. A store keys on its SHA-256 only, so a leaked dump opens no session.
 *
 * A call rejects with `StoreUnavailable` if the store is unreachable, refuses the call, or misses its deadline. No call
 * takes longer than that deadline. After `close`, every call except `ready` and `close` rejects with it.
 *
 * A record past either of its two deadlines counts as not found. The clock of the caller decides, no other clock. A
 * record that cannot be read (foreign bytes, another format) counts as not found too.
 *
 * A record with other epochs than the present ones counts as not found, for every call. So does one with an epoch that
 * the store has lost. An epoch is kept longer than any session that refers to it.
 */
export interface SessionStore {
  /** If the session is not found, `read` resolves with undefined. */
  read(id: string): Promise<SessionRecord | undefined>;
  /**
   * If `id` is in use, `create` rejects with `SessionExists` and changes nothing. An expired record may
   * still count as in use. Resolves with the epochs of the session.
   *
   * A record without epochs is a login: it gets the present epochs in the same atomic step, and missing ones are made.
   * A record with epochs (a rotation) keeps them, also if they have ended meanwhile: then it is not found. Epochs that
   * are newer than the present ones, or missing, become the present ones: the store has lost them.
   */
  create(id: string, record: NewSessionRecord): Promise<Epochs>;
  /**
   * Replaces the data in one atomic step, if the store holds version `record.version - 1`. Otherwise it changes
   * nothing: `conflict` means another version, `gone` means not found. It never creates a session. Deadlines stay as
   * they are in the store, so a late write cannot undo a touch.
   */
  replace(id: string, record: SessionRecord): Promise<'saved' | 'conflict' | 'gone'>;
  /** Sets the idle deadline, at most to the absolute deadline. If the session is not found, resolves with false. */
  touch(id: string, idleUntilMs: number): Promise<boolean>;
  /**
   * If the session is not found, `remove` resolves with `gone`. It then removes an expired record, so that no other
   * clock can find it. With `onlyVersion`, it removes that version in one atomic step; for another version it is a
   * no-op and resolves with `conflict`. Rotation uses this, so that it cannot remove a concurrent change.
   */
  remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'>;
  /** Returns at most 1,000 live sessions, each with the client that `create` was given. Remove them and call again to get
   * the rest. An unknown user has an empty list. */
  listByUser(user: string): Promise<readonly SessionSummary[]>;
  /** Removes the session of `user` with this handle. Resolves with false if it is not found, also if it belongs to
   * another user. A hundred parallel calls meet the deadline too. */
  removeByHandle(user: string, handle: string): Promise<boolean>;
  /**
   * Ends every session of `user` in one atomic step, by a greater epoch. The session `except` goes on under the new
   * epoch, if it is found and is a session of this user. Its version becomes the next one: a rotation that has copied
   * it before must copy it again. Resolves with the new epoch.
   */
  raiseEpoch(user: string, except?: string): Promise<number>;
  /** Ends every session of every user in the same way. Resolves with the new epoch of everyone. */
  clear(): Promise<number>;
  /** Returns counters of the store that explain lost sessions, such as `evictions`. They are at most a second
   * old. */
  statistics?(): Promise<Readonly<Record<string, number>>>;
  /** Resolves with true as soon as the store can serve, with false after `withinMs`. After `close`, resolves with
   * false. Never rejects. */
  ready(withinMs: number): Promise<boolean>;
  /** Frees connections and timers. A second call is a no-op. */
  close(): Promise<void>;
}

/** The guarantees of a store. The comparison prints them; the contract suite tests them. */
export interface StoreCapabilities {
  readonly compareAndSet: boolean;
  /** Where an acknowledged write is kept: in memory of the backend, in memory of the store's process, or on disk. */
  readonly durability: 'process' | 'store-process' | 'disk';
  readonly revocationLagMs: number;
  readonly dataBytesMax: number;
  /** Maximum number of sessions of one user. A login beyond it ends the oldest session of this user. Default: no limit.
   */
  readonly sessionsPerUserMax?: number;
  /** Round trips of `read` and `replace`. Default: one each, or none for a store inside the process. */
  readonly roundTrips?: RoundTrips;
}

export interface RoundTrips {
  readonly read: number;
  readonly write: number;
}

/** The store was lost (`up: false`, with the reason) or is back. Reported once per change, not once per failed call. */
export interface StoreTransition {
  readonly up: boolean;
  readonly why: string;
}

export interface StoreSettings {
  /** The address of the store server, if there is one, for example `redis://127.0.0.1:6379`. */
  readonly url: string | undefined;
  readonly deadlineMs: number;
  /** Stands in front of every key, so that several apps share one server. Default: `holdfast`. */
  readonly keyPrefix?: string | undefined;
  readonly now: () => number;
  readonly onTransition?: ((transition: StoreTransition) => void) | undefined;
  /** Called when a setting of the server endangers what the store promises. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

export function prefixOf({ keyPrefix = 'holdfast' }: Pick<StoreSettings, 'keyPrefix'>): string {
  return keyPrefix;
}

export interface StoreEntry {
  readonly capabilities: StoreCapabilities;
  /** Names what each app that shares the store needs instead of a key prefix, such as `its own process`. Absent: the
   * store puts `keyPrefix` in front of every key. */
  readonly insteadOfKeyPrefix?: string;
  open(settings: StoreSettings): SessionStore;
  /** Opens the revocation feed, if the store's server has one. */
  openFeed?(settings: StoreSettings): RevocationFeed;
}

/** The kinds of call that a server can refuse separately. A server that is out of memory refuses writes and accepts
 * removals. */
export type CallKind = 'reads' | 'writes' | 'removals';

/** Time after a refusal before a success counts as recovery. A server that is nearly full may accept a small item right
 * after it refused a large one. */
const quietMs = 1_000;

/** Reports each change between serving and not serving once. Every store that has a server uses it. */
export class StoreTransitions {
  readonly #report: (transition: StoreTransition) => void;
  #connection: 'starting' | 'up' | 'down' = 'starting';
  #why: string | undefined;
  /** The refused kinds, each with the time of the last refusal. */
  readonly #refusedAtMs = new Map<string, number>();

  constructor(report: ((transition: StoreTransition) => void) | undefined) {
    this.#report = report ?? (() => undefined);
  }

  /** Why the connection is lost. Undefined while it is not. */
  get lostBecause(): string | undefined {
    return this.#connection === 'down' ? this.#why : undefined;
  }

  markUp(): void {
    if (this.#connection === 'down') this.#report({ up: true, why: 'connected again' });
    this.#connection = 'up';
    this.#refusedAtMs.clear();
  }

  markDown(why: string): void {
    if (this.#connection === 'down') return;
    this.#connection = 'down';
    this.#why = why;
    this.#report({ up: false, why });
  }

  markRefused(kind: string, why: string): void {
    const isNews = !this.#refusedAtMs.has(kind);
    this.#refusedAtMs.set(kind, performance.now());
    if (isNews) this.#report({ up: false, why: `it refuses ${kind}: ${why}` });
  }

  markServed(kind: string): void {
    if (this.#refusedAtMs.size === 0 || !this.#hasBeenQuiet(kind)) return;
    this.#refusedAtMs.delete(kind);
    if (this.#refusedAtMs.size === 0) this.#report({ up: true, why: `it takes ${kind} again` });
  }

  #hasBeenQuiet(kind: string): boolean {
    const refusedAtMs = this.#refusedAtMs.get(kind);
    return refusedAtMs !== undefined && performance.now() - refusedAtMs > quietMs;
  }
}

/** Rejects with `late()` when the promise does not settle in time. */
export async function withTimeout<T>(ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

const probeIntervalMs = 20;

/** Calls `serves` repeatedly. Resolves with true as soon as `serves` does. Resolves with false after `waitMs`, or when
 * `isOver` returns true. A rejection of `serves` counts as false. Never rejects. */
export async function pollUntilReady(
  waitMs: number,
  { serves, isOver }: { serves(): Promise<boolean>; isOver(): boolean },
): Promise<boolean> {
  const giveUpAtMs = performance.now() + waitMs;
  const asking = async () => {
    while (!isOver() && performance.now() < giveUpAtMs) {
      if (await serves().catch(() => false)) return true;
      await delay(probeIntervalMs);
    }
    return false;
  };
  return Promise.race([asking(), delay(waitMs, false, { ref: false })]);
}
