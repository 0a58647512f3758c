import { endListed, noEpochs } from '../end-sessions.js';
import type { Epochs } from '../epochs.js';
import { SessionExists, StoreUnavailable } from '../errors.js';
import { digestOf, handleOf, type NewSessionRecord, type SessionRecord, type SessionSummary } from '../session.js';
import type { SessionStore, StoreEntry, StoreSettings } from '../session-store.js';
import { beginGeneration, generationKey, generationOf } from './memcached/generation.js';
import { type Address, Nodes } from './memcached/nodes.js';
import * as questions from './memcached/questions.js';
import { type Kept, keptOf, parseLive, recordOf, textOf } from './memcached/record-text.js';
import type { Server } from './memcached/server.js';
import { MemcachedUserLists } from './memcached/user-lists.js';

const triesMax = 5;
const listedMax = 1_000;
/** Maximum number of keys in one `get`. Its line should stay below 2 KiB. */
const keysPerQuestion = 20;

const sessionKey = (digest: string) => `holdfast:session:${digest}`;

interface ReadResult {
  readonly kept: Kept | undefined;
  /** The `cas` value of the item that was read. Empty when there was no item. */
  readonly cas: string;
}

interface NextItem {
  readonly text: string;
  readonly expiry: number;
}

/** Sessions in one memcached, or in several. A session and its generation are in the same server. */
class MemcachedStore implements SessionStore {
  readonly #now: () => number;
  readonly #nodes: Nodes;
  readonly #lists: MemcachedUserLists;

  constructor(addresses: readonly [Address, ...Address[]], settings: StoreSettings) {
    this.#now = settings.now;
    this.#nodes = new Nodes(addresses, settings);
    this.#lists = new MemcachedUserLists(this.#nodes, settings.now);
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const { kept } = await this.#readItem(questions.get, digestOf(id), this.#nodes.untilMs());
    return kept && recordOf(kept);
  }

  async create(id: string, record: NewSessionRecord): Promise<Epochs> {
    await this.#nodes.inTime(async untilMs => {
      const digest = digestOf(id);
      const server = this.#nodes.of(digest);
      const creating = this.#createOnly(digest, keptOf(record, await generationOf(server, untilMs)), untilMs);
      // Writes the session before its entry in the list. A reader removes an entry without a session. On one
      // connection, the order of the commands ensures this.
      if (this.#lists.serverOf(record.user) !== server) await creating;
      await Promise.all([creating, this.#lists.add(record.user, digest, record.absoluteUntilMs, untilMs)]);
      if (isTimeToTidy(digest)) this.#list(record.user, this.#nodes.untilMs()).catch(() => undefined);
    });
    return noEpochs;
  }

  replace(id: string, { version, data }: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    const dataJson = JSON.stringify(data);
    const next = (kept: Kept) =>
      kept.version === version - 1 ? this.#toItem({ ...kept, version, dataJson }) : undefined;
    return this.#nodes.inTime(untilMs => this.#swap(digestOf(id), next, untilMs));
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    const next = (kept: Kept) =>
      this.#toItem({ ...kept, idleUntilMs: Math.floor(Math.min(idleUntilMs, kept.absoluteUntilMs)) });
    const outcome = await this.#nodes.inTime(untilMs => this.#swap(digestOf(id), next, untilMs));
    if (outcome === 'conflict') throw new StoreUnavailable('the session is changed too often to be touched');
    return outcome === 'saved';
  }

  /**
   * Removes the session. memcached's `delete` cannot check a version. So `onlyVersion` uses a `cas` that replaces the
   * item with one that has already expired. This is one atomic step: an earlier change makes it fail, and a later
   * change finds no session.
   */
  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const digest = digestOf(id);
    if (onlyVersion === undefined) return (await this.#removeAny(digest)) ? 'removed' : 'gone';
    const nothing = { text: '', expiry: questions.expiredAlready };
    const next = (kept: Kept) => (kept.version === onlyVersion ? nothing : undefined);
    const outcome = await this.#nodes.inTime(untilMs => this.#swap(digest, next, untilMs));
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
      const [found] = await this.#findLive(user, [digest], untilMs);
      if (found === undefined) return false;
      const { end } = await this.#nodes.of(digest).ask('removals', questions.forget(sessionKey(digest)), untilMs);
      return end === 'DELETED';
    });
  }

  raiseEpoch(user: string, except?: string): Promise<number> {
    return endListed(this, user, except);
  }

  /** Ends every session. A session that begins at the same time may belong to the generation that ends. Then it is over
   * before it was used. */
  async clear(): Promise<number> {
    await Promise.all(this.#nodes.all.map(beginGeneration));
    return noEpochs.everyone;
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

  async #createOnly(digest: string, kept: Kept, untilMs: number): Promise<void> {
    const [key, server] = [sessionKey(digest), this.#nodes.of(digest)];
    const { text, expiry } = this.#toItem(kept);
    if ((await server.ask('writes', questions.add(key, text, expiry), untilMs)).end === 'STORED') return;
    // The item may be expired, foreign, or of an earlier generation. Then it is no session.
    const found = await this.#readItem(questions.gets, digest, untilMs);
    if (found.kept !== undefined || found.cas === '') throw new SessionExists();
    const { end } = await server.ask('writes', questions.swap(key, text, expiry, found.cas), untilMs);
    if (end !== 'STORED') throw new SessionExists();
  }

  async #removeAny(digest: string): Promise<boolean> {
    const untilMs = this.#nodes.untilMs();
    const [{ kept }, { end }] = await Promise.all([
      this.#readItem(questions.get, digest, untilMs),
      this.#nodes.of(digest).ask('removals', questions.forget(sessionKey(digest)), untilMs),
    ]);
    return kept !== undefined && end === 'DELETED';
  }

  /** Reads the session, decides, and writes with `cas`. Retries when another process was faster. */
  async #swap(
    digest: string,
    decide: (kept: Kept) => NextItem | undefined,
    untilMs: number,
  ): Promise<'saved' | 'conflict' | 'gone'> {
    const [key, server] = [sessionKey(digest), this.#nodes.of(digest)];
    for (let tries = 0; tries < triesMax; tries++) {
      const { kept, cas } = await this.#readItem(questions.gets, digest, untilMs);
      if (kept === undefined) return 'gone';
      const next = decide(kept);
      if (next === undefined) return 'conflict';
      const { end } = await server.ask('writes', questions.swap(key, next.text, next.expiry, cas), untilMs);
      if (end === 'STORED') return 'saved';
      if (end === 'NOT_FOUND') return 'gone';
    }
    return 'conflict';
  }

  #toItem(kept: Kept): NextItem {
    const endsAtMs = Math.min(kept.idleUntilMs, kept.absoluteUntilMs);
    return { text: textOf(kept), expiry: questions.expiryAt(endsAtMs, this.#now()) };
  }

  /** Reads the session and the present generation in one command. */
  async #readItem(
    how: (...keys: string[]) => questions.MemcachedCommand,
    digest: string,
    untilMs: number,
  ): Promise<ReadResult> {
    const key = sessionKey(digest);
    const { items } = await this.#nodes.of(digest).ask('reads', how(key, generationKey), untilMs);
    const [item, generation] = [items.get(key), items.get(generationKey)];
    return { kept: parseLive(item?.text, generation?.text, this.#now()), cas: item?.cas ?? '' };
  }

  async #list(user: string, untilMs: number): Promise<SessionSummary[]> {
    const list = await this.#lists.read(user, untilMs);
    const living: [string, Kept][] = [];
    let looked = 0;
    for (; looked < list.digests.length && living.length < listedMax; looked += listedMax) {
      living.push(...(await this.#findLive(user, list.digests.slice(looked, looked + listedMax), untilMs)));
    }
    const remaining = [...living.map(([digest]) => digest), ...list.digests.slice(looked)];
    // This runs in the background and may fail: a reader of the list checks every session anyway.
    if (remaining.length < list.digests.length)
      this.#lists.shrink(user, list, remaining, untilMs).catch(() => undefined);
    return living.map(([digest, { createdAtMs, idleUntilMs }]) => {
      return { handle: handleOf(digest), createdAtMs, idleUntilMs };
    });
  }

  async #findLive(user: string, digests: readonly string[], untilMs: number): Promise<[string, Kept][]> {
    const userJson = JSON.stringify(user);
    const asked = this.#nodes.all.flatMap(server => {
      const its = digests.filter(digest => this.#nodes.of(digest) === server);
      return pagesOf(its).map(page => this.#findLiveAt(server, page, untilMs));
    });
    const found = new Map((await Promise.all(asked)).flat());
    return digests.flatMap((digest): [string, Kept][] => {
      const kept = found.get(digest);
      return kept?.userJson === userJson ? [[digest, kept]] : [];
    });
  }

  async #findLiveAt(server: Server, digests: readonly string[], untilMs: number): Promise<[string, Kept][]> {
    const nowMs = this.#now();
    const { items } = await server.ask('reads', questions.get(...digests.map(sessionKey), generationKey), untilMs);
    return digests.flatMap((digest): [string, Kept][] => {
      const kept = parseLive(items.get(sessionKey(digest))?.text, items.get(generationKey)?.text, nowMs);
      return kept === undefined ? [] : [[digest, kept]];
    });
  }
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
