import { SessionExists, StoreUnavailable } from '../errors.js';
import { type RevocationFeed, RevokedTokens } from '../revocation-feed.js';
import { digestOf, handleOf, type SessionRecord, type SessionSummary } from '../session.js';
import type { SessionStore, StoreEntry, StoreSettings } from '../session-store.js';

const sweepIntervalMs = 30_000;
/** Maximum number of sessions. Beyond it, a new session is refused: evicting another one would log its user out
 * silently. */
const sessionsMax = 100_000;
const listedMax = 1_000;

/** A stored record. The data is text, so that callers have no reference into the store. */
interface Kept extends Omit<SessionRecord, 'data'> {
  readonly json: string;
}

/** Sessions in the memory of this process. They end with the process. */
class MemoryStore implements SessionStore {
  readonly #kept = new Map<string, Kept>();
  /** The keys of the sessions, by user and handle. */
  readonly #keysOf = new Map<string, Map<string, string>>();
  readonly #now: () => number;
  readonly #sweeper: NodeJS.Timeout;
  #closed = false;

  constructor({ now }: StoreSettings) {
    this.#now = now;
    this.#sweeper = setInterval(() => this.#sweep(), sweepIntervalMs).unref();
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const kept = this.#findLive(digestOf(id));
    if (kept === undefined) return undefined;
    const { json, ...rest } = kept;
    return { ...rest, data: JSON.parse(json) };
  }

  async create(id: string, { data, ...rest }: SessionRecord): Promise<void> {
    const key = digestOf(id);
    if (this.#findLive(key) !== undefined) throw new SessionExists();
    if (this.#kept.size >= sessionsMax) this.#sweep();
    if (this.#kept.size >= sessionsMax)
      throw new StoreUnavailable(`the session store is full: it has ${sessionsMax} sessions`);
    this.#kept.set(key, { ...rest, json: JSON.stringify(data) });
    const keys = this.#keysOf.get(rest.user) ?? new Map<string, string>();
    this.#keysOf.set(rest.user, keys.set(handleOf(key), key));
  }

  async replace(id: string, { version, data }: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    const key = digestOf(id);
    const kept = this.#findLive(key);
    if (kept === undefined) return 'gone';
    if (kept.version !== version - 1) return 'conflict';
    this.#kept.set(key, { ...kept, version, json: JSON.stringify(data) });
    return 'saved';
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    const key = digestOf(id);
    const kept = this.#findLive(key);
    if (kept === undefined) return false;
    this.#kept.set(key, { ...kept, idleUntilMs: Math.min(idleUntilMs, kept.absoluteUntilMs) });
    return true;
  }

  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const key = digestOf(id);
    const kept = this.#findLive(key);
    if (kept === undefined) return 'gone';
    if (onlyVersion !== undefined && kept.version !== onlyVersion) return 'conflict';
    this.#forget(key, kept);
    return 'removed';
  }

  async listByUser(user: string): Promise<readonly SessionSummary[]> {
    this.#checkOpen();
    const listed: SessionSummary[] = [];
    for (const [handle, key] of this.#keysOf.get(user) ?? []) {
      const kept = this.#findLive(key);
      if (kept !== undefined) listed.push({ handle, createdAtMs: kept.createdAtMs, idleUntilMs: kept.idleUntilMs });
      if (listed.length === listedMax) break;
    }
    return listed;
  }

  async removeByHandle(user: string, handle: string): Promise<boolean> {
    this.#checkOpen();
    const key = this.#keysOf.get(user)?.get(handle);
    const kept = key === undefined ? undefined : this.#findLive(key);
    if (key === undefined || kept === undefined) return false;
    this.#forget(key, kept);
    return true;
  }

  async clear(): Promise<void> {
    this.#checkOpen();
    this.#kept.clear();
    this.#keysOf.clear();
  }

  async ready(): Promise<boolean> {
    return !this.#closed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#kept.clear();
    this.#keysOf.clear();
  }

  /** Returns the record under `key`. A record past a deadline is removed and not returned. */
  #findLive(key: string): Kept | undefined {
    this.#checkOpen();
    const kept = this.#kept.get(key);
    if (kept === undefined || !isOver(kept, this.#now())) return kept;
    this.#forget(key, kept);
    return undefined;
  }

  #sweep(): void {
    for (const key of this.#kept.keys()) this.#findLive(key);
  }

  #forget(key: string, { user }: Kept): void {
    this.#kept.delete(key);
    const keys = this.#keysOf.get(user);
    keys?.delete(handleOf(key));
    if (keys?.size === 0) this.#keysOf.delete(user);
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreUnavailable('the session store is closed');
  }
}

function isOver({ idleUntilMs, absoluteUntilMs }: Kept, nowMs: number): boolean {
  return nowMs >= Math.min(idleUntilMs, absoluteUntilMs);
}

export const memory: StoreEntry = {
  capabilities: { compareAndSet: true, durability: 'process', revocationLagMs: 0, dataBytesMax: 512 * 1024 },
  open: settings => new MemoryStore(settings),
  openFeed: ({ now }) => new RevocationList(now),
};

/** Revocations in the memory of this process. Other processes do not see them, and they end with the process. */
export class RevocationList implements RevocationFeed {
  readonly #tokens = new RevokedTokens();
  readonly #now: () => number;
  readonly #sweeper: NodeJS.Timeout;
  #closed = false;

  constructor(now: () => number) {
    this.#now = now;
    this.#sweeper = setInterval(() => this.#tokens.sweep(now()), sweepIntervalMs).unref();
  }

  isRevoked(handle: string, issuedAtMs: number): boolean {
    this.#checkOpen();
    return this.#tokens.has(handle, issuedAtMs, this.#now());
  }

  async revoke(handles: readonly string[], untilMs: number): Promise<void> {
    this.#checkOpen();
    if (!this.#tokens.hasRoomFor(handles.length)) this.#tokens.sweep(this.#now());
    if (!this.#tokens.hasRoomFor(handles.length)) throw new StoreUnavailable('the list of revoked sessions is full');
    this.#tokens.add(handles, untilMs);
  }

  async revokeEveryone(untilMs: number): Promise<void> {
    this.#checkOpen();
    this.#tokens.addEveryone(this.#now(), untilMs);
  }

  async ready(): Promise<boolean> {
    return !this.#closed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreUnavailable('the list of revoked sessions is closed');
  }
}
