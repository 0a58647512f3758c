import { parseClient } from '../client.js';
import { SessionExists, StoreUnavailable } from '../errors.js';
import {
  assertIdOfUser,
  buildSummary,
  digestOf,
  type Epochs,
  handleOf,
  type NewSessionRecord,
  type SessionRecord,
  type SessionSummary,
  userTagIn,
  userTagOf,
} from '../session.js';
import type { SessionStore, StoreEntry, StoreSettings } from '../session-store.js';
import * as commands from './memcached/protocol.js';
import { type Address, Nodes, type Server } from './memcached/servers.js';
import {
  addEpoch,
  isOver,
  type Kept,
  keptOf,
  parsePresent,
  recordOf,
  type SeenEpochs,
  textOf,
} from './memcached/session-text.js';
import { MemcachedEpochs, MemcachedUserLists } from './memcached/user-items.js';

const triesMax = 10;
const listedMax = 1_000;
/** Maximum number of keys in one `get`. Its line should stay below 2 KiB. */
const keysPerQuestion = 20;

const sessionKey = (digest: string) => `holdfast:session:${digest}`;

/** The names of a session: in the store, and of its user. */
interface Place {
  readonly tag: string;
  readonly digest: string;
}

interface ReadResult {
  readonly present: SeenEpochs;
  readonly kept: Kept | undefined;
  /** The `cas` value of the item that was read. Empty when there was no item. */
  readonly cas: string;
}

interface NextItem {
  readonly text: string;
  readonly expiry: number;
}

/** Sessions in one memcached, or in several. All sessions of a user, their list and their epoch are on one server. */
class MemcachedStore implements SessionStore {
  readonly #now: () => number;
  readonly #nodes: Nodes;
  readonly #lists: MemcachedUserLists;
  readonly #epochs: MemcachedEpochs;

  constructor(addresses: readonly [Address, ...Address[]], settings: StoreSettings) {
    this.#now = settings.now;
    this.#nodes = new Nodes(addresses, settings);
    this.#lists = new MemcachedUserLists(this.#nodes, settings.now);
    this.#epochs = new MemcachedEpochs(this.#nodes, settings.now);
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const { kept, present } = await this.#readItem(commands.get, placeOf(id), this.#nodes.untilMs());
    return kept && recordOf(kept, present);
  }

  async create(id: string, record: NewSessionRecord): Promise<Epochs> {
    assertIdOfUser(id, record.user);
    return this.#nodes.inTime(async untilMs => {
      const place = placeOf(id);
      const { epochs: given = {}, absoluteUntilMs } = record;
      const present = await this.#epochs.ensure(place.tag, given, absoluteUntilMs, untilMs);
      const epochs = record.epochs ?? present;
      // The session is written before its entry in the list, on the same connection. A reader removes an entry without
      // a session.
      await Promise.all([
        this.#createOnly(place, keptOf(record, epochs), untilMs),
        this.#lists.add(record.user, place.digest, absoluteUntilMs, untilMs),
      ]);
      if (isTimeToTidy(place.digest)) this.#list(record.user, this.#nodes.untilMs()).catch(() => undefined);
      return epochs;
    });
  }

  replace(id: string, { version, data }: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    const dataJson = JSON.stringify(data);
    const next = (kept: Kept) =>
      kept.version === version - 1 ? this.#toItem({ ...kept, version, dataJson }) : undefined;
    return this.#nodes.inTime(untilMs => this.#swap(placeOf(id), next, untilMs));
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    const next = (kept: Kept) =>
      this.#toItem({ ...kept, idleUntilMs: Math.floor(Math.min(idleUntilMs, kept.absoluteUntilMs)) });
    const outcome = await this.#nodes.inTime(untilMs => this.#swap(placeOf(id), next, untilMs));
    if (outcome === 'conflict') throw new StoreUnavailable('the session is changed too often to be touched');
    return outcome === 'saved';
  }

  /**
   * Removes the session. memcached's `delete` cannot check a version. So `onlyVersion` uses a `cas` that replaces the
   * item with one that has already expired. This is one atomic step: an earlier change makes it fail, and a later
   * change finds no session.
   */
  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const place = placeOf(id);
    if (onlyVersion === undefined) return (await this.#removeAny(place)) ? 'removed' : 'gone';
    const nothing = { text: '', expiry: commands.expiredAlready };
    const next = (kept: Kept) => (kept.version === onlyVersion ? nothing : undefined);
    const outcome = await this.#nodes.inTime(untilMs => this.#swap(place, next, untilMs));
    return outcome === 'saved' ? 'removed' : outcome;
  }

  listByUser(user: string): Promise<readonly SessionSummary[]> {
    return this.#nodes.inTime(untilMs => this.#list(user, untilMs));
  }

  removeByHandle(user: string, handle: string): Promise<boolean> {
    return this.#nodes.inTime(async untilMs => {
      const { digests } = await this.#lists.read(user, untilMs);
      const digest = digests.find(each => handleOf(each) === handle);
      if (digest === undefined) return false;
      const [found] = await this.#find(user, [digest], untilMs);
      if (found === undefined || isOver(found[1], this.#now())) return false;
      const { end } = await this.#serverOf(userTagOf(user)).ask(
        'removals',
        commands.forget(sessionKey(digest)),
        untilMs,
      );
      return end === 'DELETED';
    });
  }

  raiseEpoch(user: string, except?: string): Promise<number> {
    const tag = userTagOf(user);
    const kept = except !== undefined && userTagIn(except) === tag ? placeOf(except) : undefined;
    return this.#nodes.inTime(async untilMs => {
      const epoch = await this.#epochs.raise(tag, next => this.#keep(kept, next, untilMs), untilMs);
      // A reader of the list drops the ended sessions. It may fail: every reader checks every session anyway.
      this.#list(user, this.#nodes.untilMs()).catch(() => undefined);
      return epoch;
    });
  }

  /** Ends every session. A session that begins at the same time may get the former epoch. Then it has ended too. */
  clear(): Promise<number> {
    return this.#nodes.inTime(untilMs => this.#epochs.raiseEveryone(untilMs));
  }

  /** `evictions`: items that memcached evicted since its start, to make room. Each may have been a session. */
  async statistics(): Promise<Readonly<Record<string, number>>> {
    const all = await Promise.all(this.#nodes.all.map(server => server.statistics()));
    return { evictions: all.reduce((sum, statistics) => sum + Number(statistics.get('evictions') ?? 0), 0) };
  }

  ready(withinMs: number): Promise<boolean> {
    return this.#nodes.ready(withinMs);
  }

  async close(): Promise<void> {
    this.#nodes.close();
  }

  #serverOf(tag: string): Server {
    return this.#nodes.homeOf(tag).first;
  }

  /** Lets a session live under the next epoch too. Resolves with false if another process changed it meanwhile. */
  async #keep(place: Place | undefined, epoch: number, untilMs: number): Promise<boolean> {
    if (place === undefined) return true;
    const { kept, cas } = await this.#readItem(commands.gets, place, untilMs);
    if (kept === undefined) return true;
    const { text, expiry } = this.#toItem(addEpoch(kept, epoch));
    const question = commands.swap(sessionKey(place.digest), text, expiry, cas);
    return (await this.#serverOf(place.tag).ask('writes', question, untilMs)).end !== 'EXISTS';
  }

  async #createOnly(place: Place, kept: Kept, untilMs: number): Promise<void> {
    const [key, server] = [sessionKey(place.digest), this.#serverOf(place.tag)];
    const { text, expiry } = this.#toItem(kept);
    if ((await server.ask('writes', commands.add(key, text, expiry), untilMs)).end === 'STORED') return;
    // The item may be expired, foreign, or of an earlier epoch. Then it is no session.
    const found = await this.#readItem(commands.gets, place, untilMs);
    if (found.kept !== undefined || found.cas === '') throw new SessionExists();
    const { end } = await server.ask('writes', commands.swap(key, text, expiry, found.cas), untilMs);
    if (end !== 'STORED') throw new SessionExists();
  }

  async #removeAny(place: Place): Promise<boolean> {
    const untilMs = this.#nodes.untilMs();
    const [{ kept }, { end }] = await Promise.all([
      this.#readItem(commands.get, place, untilMs),
      this.#serverOf(place.tag).ask('removals', commands.forget(sessionKey(place.digest)), untilMs),
    ]);
    return kept !== undefined && end === 'DELETED';
  }

  /** Reads the session, decides, and writes with `cas`. Retries when another process was faster. */
  async #swap(
    place: Place,
    decide: (kept: Kept) => NextItem | undefined,
    untilMs: number,
  ): Promise<'saved' | 'conflict' | 'gone'> {
    const [key, server] = [sessionKey(place.digest), this.#serverOf(place.tag)];
    for (let tries = 0; tries < triesMax; tries++) {
      const { kept, cas } = await this.#readItem(commands.gets, place, untilMs);
      if (kept === undefined) return 'gone';
      const next = decide(kept);
      if (next === undefined) return 'conflict';
      const { end } = await server.ask('writes', commands.swap(key, next.text, next.expiry, cas), untilMs);
      if (end === 'STORED') return 'saved';
      if (end === 'NOT_FOUND') return 'gone';
    }
    return 'conflict';
  }

  #toItem(kept: Kept): NextItem {
    const endsAtMs = Math.min(kept.idleUntilMs, kept.absoluteUntilMs);
    return { text: textOf(kept), expiry: commands.expiryAt(endsAtMs, this.#now()) };
  }

  /** Reads the session and the present epochs in one round trip. */
  async #readItem(
    how: (...keys: string[]) => commands.MemcachedCommand,
    { tag, digest }: Place,
    untilMs: number,
  ): Promise<ReadResult> {
    const key = sessionKey(digest);
    const { items, present } = await this.#epochs.read(tag, how, [key], untilMs);
    const item = items.get(key);
    const kept = parsePresent(item?.text, present);
    const isLive = kept !== undefined && !isOver(kept, this.#now());
    return { kept: isLive ? kept : undefined, cas: item?.cas ?? '', present };
  }

  async #list(user: string, untilMs: number): Promise<SessionSummary[]> {
    const list = await this.#lists.read(user, untilMs);
    const found: [string, Kept][] = [];
    let looked = 0;
    for (; looked < list.digests.length && found.length < listedMax; looked += listedMax) {
      found.push(...(await this.#find(user, list.digests.slice(looked, looked + listedMax), untilMs)));
    }
    const remaining = [...found.map(([digest]) => digest), ...list.digests.slice(looked)];
    // This runs in the background and may fail: a reader of the list checks every session anyway.
    if (remaining.length < list.digests.length)
      this.#lists.shrink(user, list, remaining, untilMs).catch(() => undefined);
    const living = found.filter(([, kept]) => !isOver(kept, this.#now()));
    return living.map(([digest, { createdAtMs, idleUntilMs, clientJson }]) => {
      return buildSummary({ handle: handleOf(digest), createdAtMs, idleUntilMs, client: parseClient(clientJson) });
    });
  }

  /** Returns the sessions that are there with the present epochs. Some may have expired by the clock of this process,
   * which may be ahead: only memcached forgets those. */
  async #find(user: string, digests: readonly string[], untilMs: number): Promise<[string, Kept][]> {
    const [tag, userJson] = [userTagOf(user), JSON.stringify(user)];
    const pages = pagesOf(digests).map(page => this.#epochs.read(tag, commands.get, page.map(sessionKey), untilMs));
    const found = (await Promise.all(pages)).flatMap(({ items, present }) =>
      digests.flatMap((digest): [string, Kept][] => {
        const kept = parsePresent(items.get(sessionKey(digest))?.text, present);
        return kept?.userJson === userJson ? [[digest, kept]] : [];
      }),
    );
    const byDigest = new Map(found);
    return digests.flatMap((digest): [string, Kept][] => {
      const kept = byDigest.get(digest);
      return kept === undefined ? [] : [[digest, kept]];
    });
  }
}

function placeOf(id: string): Place {
  return { tag: userTagIn(id), digest: digestOf(id) };
}

function pagesOf(digests: readonly string[]): string[][] {
  const count = Math.ceil(digests.length / keysPerQuestion);
  return Array.from({ length: count }, (_, at) => digests.slice(at * keysPerQuestion, (at + 1) * keysPerQuestion));
}

/** True for one login in 256, chosen by the random digest. Without this, the list of a user who often logs in and never
 * lists sessions fills with expired entries. */
function isTimeToTidy(digest: string): boolean {
  return digest.startsWith('00');
}

/** Parses `memcached://h1:11211,h2:11211`. Every backend must have the servers in the same order. */
function parseAddresses(url: string | undefined): [Address, ...Address[]] {
  const [first, ...others] = (/^memcached:\/\/([^/@?#]+)\/?$/i.exec(url ?? '')?.[1] ?? '').split(',').map(parseAddress);
  if (first !== undefined) return [first, ...others.map(other => other ?? throwBadAddress(url))];
  return throwBadAddress(url);
}

function parseAddress(text: string): Address | undefined {
  const url = `memcached://${text}`;
  if (text === '' || !URL.canParse(url)) return undefined;
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 11_211) };
}

function throwBadAddress(url: string | undefined): never {
  throw new Error(
    `the session store "memcached" needs an address such as memcached://127.0.0.1:11211, but was given ${url ?? 'none'}`,
  );
}

export const memcached: StoreEntry = {
  insteadOfKeyPrefix: 'its own memcached server',
  capabilities: {
    compareAndSet: true,
    durability: 'store-process',
    revocationLagMs: 0,
    dataBytesMax: 512 * 1024,
    // memcached has no scripts. A replacement must first read the `cas` of the item.
    roundTrips: { read: 1, write: 2 },
  },
  open: settings => new MemcachedStore(parseAddresses(settings.url), settings),
};
