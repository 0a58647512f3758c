import { digestOf } from '../../session.js';
import type { Servers } from './servers.js';

export const listedMax = 1_000;
const scannedAtOnce = 1_000;
const handleShape = /^[0-9a-f]{16}$/;

export const userKey = (user: string) => `holdfast:user:${digestOf(user)}`;

/** The sessions of each user: one sorted set per user, with the digests of the sessions by absolute deadline. */
export class RedisUserLists {
  readonly #servers: Servers;
  readonly #now: () => number;
  readonly #shared = new Map<string, Promise<readonly string[]>>();

  constructor(servers: Servers, now: () => number) {
    this.#servers = servers;
    this.#now = now;
  }

  async add(user: string, digest: string, absoluteUntilMs: number): Promise<void> {
    const key = userKey(user);
    const untilMs = Math.floor(absoluteUntilMs);
    await this.#servers.askReplicated('writes', key, server => server.sessionIndex(key, this.#now(), untilMs, digest));
  }

  /** Returns the entries that end first, at most `listedMax`. Returns `[]` for a key of another type. */
  first(user: string): Promise<readonly string[]> {
    const key = userKey(user);
    const range = [`(${this.#now()}`, '+inf', 'BYSCORE', 'LIMIT', 0, listedMax] as const;
    return this.#servers.ask('reads', key, server => server.zrange(key, ...range), []);
  }

  /** Returns the digest for a handle, or undefined if the user has none. */
  async find(user: string, handle: string): Promise<string | undefined> {
    if (!handleShape.test(handle)) return undefined;
    const digests = await this.#sharedFirst(user);
    const found = digests.find(digest => digest.startsWith(handle));
    return found === undefined && digests.length === listedMax ? this.#scan(userKey(user), handle) : found;
  }

  async remove(user: string, digests: readonly string[]): Promise<void> {
    const key = userKey(user);
    await this.#servers.ask('writes', key, server => server.zrem(key, ...digests));
  }

  /** Removes entries in the background. It may fail: a reader of the list checks every session anyway. */
  forget(user: string, digests: readonly string[]): void {
    const key = userKey(user);
    this.#servers.sendInBackground(key, server => server.zrem(key, ...digests));
  }

  /**
   * Reads the list once for all calls in the same turn. Ending a thousand sessions of a user makes a thousand calls.
   */
  #sharedFirst(user: string): Promise<readonly string[]> {
    const shared = this.#shared.get(user) ?? this.first(user);
    if (!this.#shared.has(user)) setImmediate(() => this.#shared.delete(user));
    this.#shared.set(user, shared);
    return shared;
  }

  /** Searches beyond the first thousand entries. */
  async #scan(key: string, handle: string): Promise<string | undefined> {
    for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
      const from = cursor;
      const ask = this.#servers.ask('reads', key, server =>
        server.zscan(key, from, 'MATCH', `${handle}*`, 'COUNT', scannedAtOnce),
      );
      const [next, [digest]] = await ask;
      if (digest !== undefined) return digest;
      cursor = next;
    }
    return undefined;
  }
}
