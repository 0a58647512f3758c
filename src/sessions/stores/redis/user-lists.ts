import { digestOf } from '../../session-id.js';
import type { Servers } from './servers.js';

export const listedMax = 1_000;
const scannedAtOnce = 1_000;
const handleShape = /^[0-9a-f]{16}$/;

export const userKey = (user: string) => `holdfast:user:${digestOf(user)}`;

/** Which sessions a user has: one sorted set per user, the digests of the sessions by their absolute deadlines. */
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

  /** The next to end, at most `listedMax`; `[]` for a key of another type. */
  first(user: string): Promise<readonly string[]> {
    const key = userKey(user);
    const range = [`(${this.#now()}`, '+inf', 'BYSCORE', 'LIMIT', 0, listedMax] as const;
    return this.#servers.ask('reads', key, server => server.zrange(key, ...range), []);
  }

  /** Undefined when there is none. */
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

  /** Nobody waits for this, nor need it succeed: a reader of the list checks every session of it anyway. */
  forget(user: string, digests: readonly string[]): void {
    const key = userKey(user);
    this.#servers.tell(key, server => server.zrem(key, ...digests));
  }

  /** Once for all who ask within the same turn: whoever ends a thousand sessions of a user asks a thousand times. */
  #sharedFirst(user: string): Promise<readonly string[]> {
    const shared = this.#shared.get(user) ?? this.first(user);
    if (!this.#shared.has(user)) setImmediate(() => this.#shared.delete(user));
    this.#shared.set(user, shared);
    return shared;
  }

  /** Behind the first thousand. */
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
