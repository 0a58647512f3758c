import { randomInt } from 'node:crypto';
import { StoreUnavailable } from '../../errors.js';
import { nextEpoch, type PresentEpochs, userTagOf } from '../../session.js';
import * as commands from './protocol.js';
import type { Home, Nodes, Server } from './servers.js';
import type { SeenEpochs } from './session-text.js';

const epochTriesMax = 10;
/** An epoch is kept at least this long. It must outlive every session that refers to it. */
const epochLifeMinMs = 25 * 3_600_000;
/** Two raises that do not know of each other must not choose the same number. */
const stepMax = 1_000;

const everyoneKey = 'holdfast:everyone';
const epochKey = (tag: string) => `holdfast:epoch:${tag}`;

/** The items of an answer. */
type Items = commands.MemcachedAnswer['items'];

/**
 * The epochs: one item for each user, and one for everyone on each server.
 *
 * The epoch of a user is on two servers: with its sessions, and on the server that has its sessions if the first one is
 * taken out of the address. The higher one counts. So a server that comes back into the address, with the sessions and
 * the epoch of the time before, revives no session that ended meanwhile.
 *
 * A lost epoch at the first server ends the sessions. memcached evicts it last, because every read of a session reads
 * it too.
 */
export class MemcachedEpochs {
  readonly #nodes: Nodes;
  readonly #now: () => number;

  constructor(nodes: Nodes, now: () => number) {
    this.#nodes = nodes;
    this.#now = now;
  }

  /** Reads items from the first server of a user, together with the present epochs. */
  async read(
    tag: string,
    how: (...keys: string[]) => commands.MemcachedCommand,
    keys: readonly string[],
    untilMs: number,
  ): Promise<{ items: Items; present: SeenEpochs }> {
    const { first, second } = this.#nodes.homeOf(tag);
    const own = [epochKey(tag), everyoneKey];
    const [{ items }, other] = await Promise.all([
      first.ask('reads', how(...keys, ...own), untilMs),
      second?.ask('reads', commands.get(...own), untilMs).catch(() => undefined),
    ]);
    const [user, everyone] = own.map(key => {
      const [here, there] = [epochIn(items, key), epochIn(other?.items, key)];
      if (here !== undefined && there !== undefined && there > here)
        this.#raiseAt(first, key, there, untilMs).catch(() => undefined);
      return here === undefined ? undefined : Math.max(here, there ?? 0);
    });
    return { items, present: { user, everyone, isSure: second === undefined || other !== undefined } };
  }

  /** Returns the epochs for a login. Makes them where they are missing, and raises lower ones to `given`. */
  async ensure(
    tag: string,
    given: Partial<PresentEpochs>,
    absoluteUntilMs: number,
    untilMs: number,
  ): Promise<{ user: number; everyone: number }> {
    const home = this.#nodes.homeOf(tag);
    const [user, everyone] = await Promise.all([
      this.#ensure(home, epochKey(tag), given.user, serversOf(home), untilMs),
      this.#ensure(home, everyoneKey, given.everyone, this.#nodes.all, untilMs),
    ]);
    const expiry = this.#expiry(absoluteUntilMs);
    for (const server of serversOf(home))
      server.ask('writes', commands.extend(epochKey(tag), expiry), untilMs).catch(() => undefined);
    return { user, everyone };
  }

  /**
   * Raises the epoch of a user. `keep` prepares the session that goes on for the new epoch; it resolves with false if
   * another process was faster. The other servers get the epoch too, as far as they can be reached.
   */
  async raise(tag: string, keep: (epoch: number) => Promise<boolean>, untilMs: number): Promise<number> {
    const { first, second } = this.#nodes.homeOf(tag);
    const key = epochKey(tag);
    for (let tries = 0; tries < epochTriesMax; tries++) {
      const [{ items }, other] = await Promise.all([
        first.ask('reads', commands.gets(key), untilMs),
        second?.ask('reads', commands.get(key), untilMs),
      ]);
      const known = [epochIn(items, key), epochIn(other?.items, key)].filter(epoch => epoch !== undefined);
      const old = known.length === 0 ? undefined : Math.max(...known);
      const epoch = nextEpoch(old, this.#now()) + randomInt(stepMax);
      if (!(await keep(epoch)) || !(await this.#write(first, key, epoch, items, untilMs))) continue;
      const rest = this.#nodes.all.filter(server => server !== first && server !== second);
      for (const server of rest) this.#raiseAt(server, key, epoch, untilMs).catch(() => undefined);
      if (second !== undefined) await this.#raiseAt(second, key, epoch, untilMs);
      return epoch;
    }
    throw changedTooOften();
  }

  /** Raises the epoch of everyone on every server. */
  async raiseEveryone(untilMs: number): Promise<number> {
    const { all } = this.#nodes;
    const answers = await Promise.all(all.map(server => server.ask('reads', commands.get(everyoneKey), untilMs)));
    const old = Math.max(0, ...answers.map(({ items }) => epochIn(items, everyoneKey) ?? 0));
    const epoch = nextEpoch(old === 0 ? undefined : old, this.#now());
    const raised = await Promise.all(all.map(server => this.#raiseAt(server, everyoneKey, epoch, untilMs)));
    return Math.max(...raised);
  }

  /**
   * Returns the highest epoch of the servers of the user. If none of them has it, the first of `leaders` that answers
   * makes it. So of logins in parallel, all get the same. The other servers get it too, as far as they can be reached.
   */
  async #ensure(
    { first, second }: Home,
    key: string,
    given: number | undefined,
    leaders: readonly [Server, ...Server[]],
    untilMs: number,
  ): Promise<number> {
    const ask = (server: Server) => server.ask('reads', commands.get(key), untilMs);
    const [here, there] = await Promise.all([ask(first), second && ask(second).catch(() => undefined)]);
    const found = [epochIn(here.items, key), epochIn(there?.items, key)];
    const known = [...found, given].filter(epoch => epoch !== undefined);
    const epoch = known.length > 0 ? Math.max(...known) : await this.#makeAtOne(leaders, key, untilMs);
    if (found[0] === epoch && (second === undefined || found[1] === epoch)) return epoch;
    for (const server of leaders.filter(each => each !== first))
      this.#raiseAt(server, key, epoch, untilMs).catch(() => undefined);
    return this.#raiseAt(first, key, epoch, untilMs);
  }

  async #makeAtOne([first, ...others]: readonly Server[], key: string, untilMs: number): Promise<number> {
    if (first === undefined) throw new StoreUnavailable('the session store does not answer');
    const making = this.#raiseAt(first, key, nextEpoch(undefined, this.#now()), untilMs, 'make');
    return others.length === 0 ? making : making.catch(() => this.#makeAtOne(others, key, untilMs));
  }

  /** Gives a server an epoch that is at least `epoch`. Resolves with it. `make` changes no epoch that is there. */
  async #raiseAt(server: Server, key: string, epoch: number, untilMs: number, how = 'raise'): Promise<number> {
    for (let tries = 0; tries < epochTriesMax; tries++) {
      const { items } = await server.ask('reads', commands.gets(key), untilMs);
      const found = epochIn(items, key);
      if (found !== undefined && (found >= epoch || how === 'make')) return found;
      if (await this.#write(server, key, epoch, items, untilMs)) return epoch;
    }
    throw changedTooOften();
  }

  /** Writes an epoch over what `items` has. Resolves with false if another process was faster. */
  async #write(server: Server, key: string, epoch: number, items: Items, untilMs: number): Promise<boolean> {
    const expiry = key === everyoneKey ? commands.never : this.#expiry(0);
    const cas = items.get(key)?.cas;
    const question =
      cas === undefined ? commands.add(key, String(epoch), expiry) : commands.swap(key, String(epoch), expiry, cas);
    return (await server.ask('removals', question, untilMs)).end === 'STORED';
  }

  #expiry(absoluteUntilMs: number): number {
    const nowMs = this.#now();
    return commands.expiryAt(Math.max(absoluteUntilMs, nowMs) + epochLifeMinMs, nowMs);
  }
}

function serversOf({ first, second }: Home): readonly [Server, ...Server[]] {
  return second === undefined ? [first] : [first, second];
}

/** Returns an epoch. Undefined if there is none, or a foreign value. */
function epochIn(items: Items | undefined, key: string): number | undefined {
  const text = items?.get(key)?.text;
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function changedTooOften(): StoreUnavailable {
  return new StoreUnavailable('the epoch is changed too often to be raised');
}

interface UserList {
  readonly digests: readonly string[];
  /** The `cas` value of the item that was read. */
  readonly cas: string;
}

const listTriesMax = 5;
/** Minimum life of a list. A list must outlive its last session, even if the limits were longer when that session
 * began. */
const listLifeMinMs = 24 * 3_600_000;
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

  async add(user: string, digest: string, absoluteUntilMs: number, untilMs: number): Promise<void> {
    const [key, line, expiry] = [userKey(user), `${digest}\n`, this.#expiry(absoluteUntilMs)];
    const server = this.#serverOf(user);
    for (let tries = 0; tries < listTriesMax; tries++) {
      const [appended] = await Promise.all([
        server.ask('writes', commands.append(key, line), untilMs),
        server.ask('writes', commands.extend(key, expiry), untilMs),
      ]);
      if (appended.end === 'STORED') return;
      if ((await server.ask('writes', commands.add(key, line, expiry), untilMs)).end === 'STORED') return;
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
    const expiry = digests.length === 0 ? commands.expiredAlready : this.#expiry(0);
    await this.#serverOf(user).ask('writes', commands.swap(userKey(user), text, expiry, cas), untilMs);
  }

  async #read(user: string, untilMs: number): Promise<UserList> {
    const key = userKey(user);
    const { items } = await this.#serverOf(user).ask('reads', commands.gets(key), untilMs);
    const { text = '', cas = '' } = items.get(key) ?? {};
    return { digests: [...new Set(text.split('\n').filter(isDigest))], cas };
  }

  #serverOf(user: string): Server {
    return this.#nodes.homeOf(userTagOf(user)).first;
  }

  #expiry(absoluteUntilMs: number): number {
    const nowMs = this.#now();
    return commands.expiryAt(Math.max(absoluteUntilMs, nowMs + listLifeMinMs), nowMs);
  }
}

/** True for a line of ours. Other lines are foreign. */
function isDigest(line: string): boolean {
  return /^[0-9a-f]{64}$/.test(line);
}
