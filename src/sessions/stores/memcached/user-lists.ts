import { StoreUnavailable } from '../../errors.js';
import { userTagOf } from '../../session.js';
import type { Nodes } from './nodes.js';
import { add, append, expiredAlready, expiryAt, extend, gets, swap } from './questions.js';
import type { Server } from './server.js';

export interface UserList {
  readonly digests: readonly string[];
  /** The `cas` value of the item that was read. */
  readonly cas: string;
}

const triesMax = 5;
/** Minimum life of a list. A list must outlive its last session, even if the limits were longer when that session
 * began. */
const lifeMinMs = 24 * 3_600_000;
const userKey = (user: string) => `holdfast:user:${userTagOf(user)}`;

/**
 * The sessions of each user: one item per user, with one digest per line. It grows only by `append` and shrinks only by
 * `cas`.
 *
 * memcached may evict the item before the sessions that it names. A lost list is an empty list. The sessions stay
 * alive, but cannot be listed or ended one by one. Ending all of them needs no list.
 */
export class MemcachedUserLists {
  readonly #nodes: Nodes;
  readonly #now: () => number;
  readonly #shared = new Map<string, Promise<UserList>>();

  constructor(nodes: Nodes, now: () => number) {
    this.#nodes = nodes;
    this.#now = now;
  }

  #serverOf(user: string): Server {
    return this.#nodes.homeOf(userTagOf(user)).first;
  }

  async add(user: string, digest: string, absoluteUntilMs: number, untilMs: number): Promise<void> {
    const [key, line, expiry] = [userKey(user), `${digest}\n`, this.#expiry(absoluteUntilMs)];
    const server = this.#serverOf(user);
    for (let tries = 0; tries < triesMax; tries++) {
      const [appended] = await Promise.all([
        server.ask('writes', append(key, line), untilMs),
        server.ask('writes', extend(key, expiry), untilMs),
      ]);
      if (appended.end === 'STORED') return;
      if ((await server.ask('writes', add(key, line, expiry), untilMs)).end === 'STORED') return;
    }
    throw new StoreUnavailable('the list of the sessions of this user was evicted again and again');
  }

  /**
   * Reads the list once for all calls in the same turn. Ending a thousand sessions of a user makes a thousand calls.
   */
  read(user: string, untilMs: number): Promise<UserList> {
    const key = userKey(user);
    const shared = this.#shared.get(key) ?? this.#read(user, untilMs);
    if (!this.#shared.has(key)) setImmediate(() => this.#shared.delete(key));
    this.#shared.set(key, shared);
    return shared;
  }

  /** Replaces the list, unless it changed since it was read. If it did, a later reader shrinks it. */
  async shrink(user: string, { cas }: UserList, digests: readonly string[], untilMs: number): Promise<void> {
    const text = digests.map(digest => `${digest}\n`).join('');
    const expiry = digests.length === 0 ? expiredAlready : this.#expiry(0);
    await this.#serverOf(user).ask('writes', swap(userKey(user), text, expiry, cas), untilMs);
  }

  async #read(user: string, untilMs: number): Promise<UserList> {
    const key = userKey(user);
    const { items } = await this.#serverOf(user).ask('reads', gets(key), untilMs);
    const { text = '', cas = '' } = items.get(key) ?? {};
    return { digests: [...new Set(text.split('\n').filter(isDigest))], cas };
  }

  #expiry(absoluteUntilMs: number): number {
    const nowMs = this.#now();
    return expiryAt(Math.max(absoluteUntilMs, nowMs + lifeMinMs), nowMs);
  }
}

/** True for a line of ours. Other lines are foreign. */
function isDigest(line: string): boolean {
  return /^[0-9a-f]{64}$/.test(line);
}
