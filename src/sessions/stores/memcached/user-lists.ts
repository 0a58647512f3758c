import { StoreUnavailable } from '../../errors.js';
import { digestOf } from '../../session-id.js';
import type { Nodes } from './nodes.js';
import { add, append, expiredAlready, expiryAt, extend, gets, swap } from './questions.js';
import type { Server } from './server.js';

export interface UserList {
  readonly digests: readonly string[];
  /** Names what was read to `cas`. */
  readonly cas: string;
}

const triesMax = 5;
/** A list outlives its last session, also where the limits of older sessions were longer than those of today. */
const lifeMinMs = 24 * 3_600_000;
const userKey = (user: string) => `holdfast:user:${digestOf(user)}`;

/**
 * Which sessions a user has: one item per user, a digest a line, that only ever grows by `append` and shrinks by `cas`.
 * It is an item as every other: memcached may evict it before the sessions that it names. They stay alive, and until the
 * user begins another one nobody can list them or end them all: a lost list is an empty list.
 */
export class MemcachedUserLists {
  readonly #nodes: Nodes;
  readonly #now: () => number;
  readonly #shared = new Map<string, Promise<UserList>>();

  constructor(nodes: Nodes, now: () => number) {
    this.#nodes = nodes;
    this.#now = now;
  }

  /** Who keeps the list of this user. */
  serverOf(user: string): Server {
    return this.#nodes.of(digestOf(user));
  }

  async add(user: string, digest: string, absoluteUntilMs: number, untilMs: number): Promise<void> {
    const [key, line, expiry] = [userKey(user), `${digest}\n`, this.#expiry(absoluteUntilMs)];
    const server = this.serverOf(user);
    for (let tries = 0; tries < triesMax; tries++) {
      const [appended] = await Promise.all([
        server.ask('writes', append(key, line), untilMs),
        server.ask('writes', extend(key, expiry), untilMs),
      ]);
      if (appended.end === 'STORED') return;
      if ((await server.ask('writes', add(key, line, expiry), untilMs)).end === 'STORED') return;
    }
    throw new StoreUnavailable('the list of the sessions of this user came and went');
  }

  /** Once for all who ask within the same turn: whoever ends a thousand sessions of a user asks a thousand times. */
  read(user: string, untilMs: number): Promise<UserList> {
    const key = userKey(user);
    const shared = this.#shared.get(key) ?? this.#read(user, untilMs);
    if (!this.#shared.has(key)) setImmediate(() => this.#shared.delete(key));
    this.#shared.set(key, shared);
    return shared;
  }

  /** Only if nobody added to it since it was read; otherwise a later reader will do it. */
  async shrink(user: string, { cas }: UserList, digests: readonly string[], untilMs: number): Promise<void> {
    const text = digests.map(digest => `${digest}\n`).join('');
    const expiry = digests.length === 0 ? expiredAlready : this.#expiry(0);
    await this.serverOf(user).ask('writes', swap(userKey(user), text, expiry, cas), untilMs);
  }

  async #read(user: string, untilMs: number): Promise<UserList> {
    const key = userKey(user);
    const { items } = await this.serverOf(user).ask('reads', gets(key), untilMs);
    const { text = '', cas = '' } = items.get(key) ?? {};
    return { digests: [...new Set(text.split('\n').filter(isDigest))], cas };
  }

  #expiry(absoluteUntilMs: number): number {
    const nowMs = this.#now();
    return expiryAt(Math.max(absoluteUntilMs, nowMs + lifeMinMs), nowMs);
  }
}

/** Whatever else stands in a line was not written by us. */
function isDigest(line: string): boolean {
  return /^[0-9a-f]{64}$/.test(line);
}
