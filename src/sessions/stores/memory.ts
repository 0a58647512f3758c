import type { SessionClient } from '../client.js';
import { SessionExists, StoreUnavailable } from '../errors.js';
import { type RevocableToken, type RevocationFeed, RevokedTokens } from '../revocation-feed.js';
import {
  assertIdOfUser,
  buildSummary,
  clockToleranceMs,
  digestOf,
  type Epochs,
  handleOf,
  isPresent,
  type NewSessionRecord,
  nextEpoch,
  type SessionRecord,
  type SessionSummary,
} from '../session.js';
import type { SessionStore, StoreEntry, StoreSettings } from '../session-store.js';

const sweepIntervalMs = 30_000;
/** Maximum number of sessions. Beyond it, a new session is refused: evicting another one would log its user out
 * silently. */
const sessionsMax = 100_000;
/** Maximum number of sessions of one user. Beyond it, a login ends the oldest session of this user, so that one user
 * cannot take the places of all others. */
const sessionsPerUserMax = 1_000;
const listedMax = 1_000;
/** Number of sessions that a login looks at when the store is full, to find expired ones. */
const lookedAtOnce = 64;

/** A stored record. The data is text, so that callers have no reference into the store. */
interface Kept extends Omit<SessionRecord, 'data'> {
  readonly json: string;
  readonly client: SessionClient | undefined;
}

/** The sessions of one user. */
interface UserSessions {
  epoch: number;
  /** The epoch is kept at least until then. */
  epochUntilMs: number;
  /** The keys of the sessions by handle, the oldest first. */
  readonly keys: Map<string, string>;
}

/** Sessions in the memory of this process. They end with the process. */
class MemoryStore implements SessionStore {
  readonly #kept = new Map<string, Kept>();
  readonly #users = new Map<string, UserSessions>();
  readonly #now: () => number;
  readonly #sweeper: NodeJS.Timeout;
  #everyone: number;
  /** The next sessions that are looked at when the store is full. */
  #looking: Iterator<string> | undefined;
  #evictions = 0;
  #closed = false;

  constructor({ now }: StoreSettings) {
    this.#now = now;
    this.#everyone = nextEpoch(undefined, now());
    this.#sweeper = setInterval(() => this.#sweep(), sweepIntervalMs).unref();
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const kept = this.#findLive(digestOf(id));
    if (kept === undefined) return undefined;
    const { user, json, version, createdAtMs, idleUntilMs, absoluteUntilMs, epochs } = kept;
    return { user, data: JSON.parse(json), version, createdAtMs, idleUntilMs, absoluteUntilMs, epochs };
  }

  async create(id: string, { data, epochs: given, client, ...rest }: NewSessionRecord): Promise<Epochs> {
    assertIdOfUser(id, rest.user);
    const key = digestOf(id);
    if (this.#findLive(key) !== undefined) throw new SessionExists();
    this.#forget(key);
    if (this.#kept.size >= sessionsMax) this.#removeSomeExpired();
    if (this.#kept.size >= sessionsMax)
      throw new StoreUnavailable(`the session store is full: it has ${sessionsMax} sessions`);
    const user = this.#userNamed(rest.user, given?.user);
    user.epochUntilMs = Math.max(user.epochUntilMs, rest.absoluteUntilMs);
    if (given !== undefined) this.#everyone = Math.max(this.#everyone, given.everyone);
    else if (user.keys.size >= sessionsPerUserMax) this.#evictOldest(user);
    const epochs = given ?? { user: user.epoch, everyone: this.#everyone };
    this.#kept.set(key, { ...rest, epochs: { ...epochs }, json: JSON.stringify(data), client });
    user.keys.set(handleOf(key), key);
    return epochs;
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
    if (kept !== undefined && onlyVersion !== undefined && kept.version !== onlyVersion) return 'conflict';
    this.#forget(key);
    return kept === undefined ? 'gone' : 'removed';
  }

  async listByUser(user: string): Promise<readonly SessionSummary[]> {
    this.#checkOpen();
    const listed: SessionSummary[] = [];
    for (const [handle, key] of this.#users.get(user)?.keys ?? []) {
      const kept = this.#findLive(key);
      if (kept === undefined) continue;
      const { createdAtMs, idleUntilMs, client } = kept;
      listed.push(buildSummary({ handle, createdAtMs, idleUntilMs, client }));
      if (listed.length === listedMax) break;
    }
    return listed;
  }

  async removeByHandle(user: string, handle: string): Promise<boolean> {
    this.#checkOpen();
    const key = this.#users.get(user)?.keys.get(handle);
    if (key === undefined || this.#findLive(key) === undefined) return false;
    this.#forget(key);
    return true;
  }

  async raiseEpoch(name: string, except?: string): Promise<number> {
    const exceptKey = except === undefined ? undefined : digestOf(except);
    const excepted = exceptKey === undefined ? undefined : this.#findLive(exceptKey);
    this.#checkOpen();
    const user = this.#userNamed(name);
    user.epoch = nextEpoch(user.epoch, this.#now());
    user.epochUntilMs = Math.max(user.epochUntilMs, this.#now() + clockToleranceMs);
    if (exceptKey !== undefined && excepted?.user === name)
      this.#kept.set(exceptKey, {
        ...excepted,
        version: excepted.version + 1,
        epochs: { ...excepted.epochs, user: user.epoch },
      });
    for (const key of user.keys.values()) this.#forgetEnded(key);
    return user.epoch;
  }

  async clear(): Promise<number> {
    this.#checkOpen();
    this.#everyone = nextEpoch(this.#everyone, this.#now());
    this.#kept.clear();
    for (const { keys } of this.#users.values()) keys.clear();
    return this.#everyone;
  }

  /** `evictions`: sessions that ended because their user began too many others. */
  async statistics(): Promise<Readonly<Record<string, number>>> {
    return { evictions: this.#evictions };
  }

  async ready(): Promise<boolean> {
    return !this.#closed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#kept.clear();
    this.#users.clear();
  }

  /** Returns the record under `key`, unless it has ended. */
  #findLive(key: string): Kept | undefined {
    this.#checkOpen();
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    const present = { user: this.#users.get(kept.user)?.epoch, everyone: this.#everyone };
    return isPresent(kept.epochs, present) && !isOver(kept, this.#now()) ? kept : undefined;
  }

  #forgetEnded(key: string): void {
    if (this.#findLive(key) === undefined) this.#forget(key);
  }

  /** Returns the sessions of a user. Their epoch is at least `given`. */
  #userNamed(name: string, given?: number): UserSessions {
    const user = this.#users.get(name);
    if (user === undefined) {
      const made = { epoch: given ?? nextEpoch(undefined, this.#now()), epochUntilMs: 0, keys: new Map() };
      this.#users.set(name, made);
      return made;
    }
    user.epoch = Math.max(user.epoch, given ?? user.epoch);
    return user;
  }

  #evictOldest({ keys }: UserSessions): void {
    const [oldest] = keys.values();
    if (oldest === undefined) return;
    if (this.#findLive(oldest) !== undefined) this.#evictions += 1;
    this.#forget(oldest);
  }

  /** Looks at a few sessions and removes the expired ones. Looking at all of them at each login would take 50 ms. */
  #removeSomeExpired(): void {
    for (let looked = 0; looked < lookedAtOnce; looked++) {
      this.#looking ??= this.#kept.keys();
      const { value: key, done } = this.#looking.next();
      if (done === true) this.#looking = undefined;
      else this.#forgetEnded(key);
    }
  }

  #sweep(): void {
    for (const key of this.#kept.keys()) this.#forgetEnded(key);
    const nowMs = this.#now();
    for (const [name, { keys, epochUntilMs }] of this.#users)
      if (keys.size === 0 && epochUntilMs < nowMs) this.#users.delete(name);
  }

  #forget(key: string): void {
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    if (kept !== undefined) this.#users.get(kept.user)?.keys.delete(handleOf(key));
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreUnavailable('the session store is closed');
  }
}

function isOver({ idleUntilMs, absoluteUntilMs }: Kept, nowMs: number): boolean {
  return nowMs >= Math.min(idleUntilMs, absoluteUntilMs);
}

export const memory: StoreEntry = {
  insteadOfKeyPrefix: 'its own process',
  capabilities: {
    compareAndSet: true,
    durability: 'process',
    revocationLagMs: 0,
    dataBytesMax: 512 * 1024,
    sessionsPerUserMax,
  },
  open: settings => new MemoryStore(settings),
  openFeed: ({ now }) => new RevocationList(now),
};

/** Revocations in the memory of this process. Other processes do not see them, and they end with the process. */
export class RevocationList implements RevocationFeed {
  readonly #tokens: RevokedTokens;
  readonly #now: () => number;
  readonly #sweeper: NodeJS.Timeout;
  #closed = false;

  constructor(now: () => number, tokens = new RevokedTokens()) {
    this.#now = now;
    this.#tokens = tokens;
    this.#sweeper = setInterval(() => this.#tokens.sweep(now()), sweepIntervalMs).unref();
  }

  isRevoked(token: RevocableToken): boolean {
    this.#checkOpen();
    return this.#tokens.has(token, this.#now());
  }

  findEpochs(userTag: string): Epochs {
    this.#checkOpen();
    return this.#tokens.findEpochs(userTag, this.#now());
  }

  hasRoomFor(handles: number): boolean {
    return this.#tokens.hasRoomFor(handles);
  }

  hasRoomForUser(userTag: string): boolean {
    return this.#tokens.hasRoomForUser(userTag);
  }

  async revoke(handles: readonly string[], untilMs: number): Promise<void> {
    this.#checkOpen();
    this.#tokens.add(handles, untilMs);
  }

  async tellEpoch(owner: string, epoch: number, untilMs: number): Promise<void> {
    this.#checkOpen();
    this.#tokens.addEpoch(owner, epoch, untilMs);
  }

  async catchUp(): Promise<void> {
    this.#checkOpen();
  }

  ageMs(): number {
    return 0;
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
