import type { Redis } from 'ioredis';
import { parseAddress, type RedisAddress } from '../../shared/redis-address.js';
import { endListed, noEpochs } from '../end-sessions.js';
import type { Epochs } from '../epochs.js';
import { SessionExists, StoreUnavailable } from '../errors.js';
import { withTimeout } from '../in-time.js';
import {
  digestOf,
  handleOf,
  type NewSessionRecord,
  type SessionData,
  type SessionRecord,
  type SessionSummary,
} from '../session.js';
import type { SessionStore, StoreEntry, StoreSettings } from '../session-store.js';
import { RevocationStream } from './redis/revocation-stream.js';
import { Servers } from './redis/servers.js';
import { listedMax, RedisUserLists } from './redis/user-lists.js';

const scannedAtOnce = 1000;

const sessionKey = (digest: string) => `holdfast:session:${digest}`;

/**
 * Sessions in Redis. Every command names a key, and goes to the server of that key.
 *
 * Where the address asks for replicas, the begin and the end of a session wait for them. They reject with
 * `StoreUnavailable` if too few replicas acknowledge in time. The command may still have been carried out. After
 * a failed `create`, a session may stay until its idle time-out, but no browser has its token. After a failed removal,
 * the session has ended here, and only a failover could restore it.
 *
 * A change of the data does not wait for replicas. It would be reported as failed although readers see it, and a retry
 * would apply it twice. A touch does not wait either: without it, a session only ends sooner.
 */
class RedisStore implements SessionStore {
  readonly #servers: Servers;
  readonly #lists: RedisUserLists;
  readonly #settings: StoreSettings;

  constructor(address: RedisAddress, settings: StoreSettings) {
    this.#settings = settings;
    this.#servers = new Servers(address, settings);
    this.#lists = new RedisUserLists(this.#servers, settings.now);
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    return parseRecord(await this.#fieldsOf(digestOf(id)), this.#settings.now());
  }

  async create(id: string, record: NewSessionRecord): Promise<Epochs> {
    await this.#inTime(this.#create(digestOf(id), record));
    return noEpochs;
  }

  async replace(id: string, { version, data }: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    const key = sessionKey(digestOf(id));
    const json = JSON.stringify(data);
    const nowMs = this.#settings.now();
    const ask = (server: Redis) => server.sessionReplace(key, nowMs, version - 1, version, json);
    const outcome = await this.#servers.ask('writes', key, ask);
    return outcome === 'saved' || outcome === 'conflict' ? outcome : 'gone';
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    const key = sessionKey(digestOf(id));
    const untilMs = Math.floor(idleUntilMs);
    const ask = (server: Redis) => server.sessionTouch(key, this.#settings.now(), untilMs);
    return (await this.#servers.ask('writes', key, ask)) === 1;
  }

  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const digest = digestOf(id);
    const [outcome, user] = await this.#removeSession(digest, onlyVersion);
    if (outcome === 'conflict') return outcome;
    if (user !== undefined) this.#lists.forget(user, [digest]);
    return user === undefined ? 'gone' : 'removed';
  }

  listByUser(user: string): Promise<readonly SessionSummary[]> {
    return this.#inTime(this.#list(user));
  }

  removeByHandle(user: string, handle: string): Promise<boolean> {
    return this.#inTime(this.#removeByHandle(user, handle));
  }

  raiseEpoch(user: string, except?: string): Promise<number> {
    return endListed(this, user, except);
  }

  /** Removes every session, key by key, because other applications may use the same servers. It may miss a session that
   * is created, or moves to another cluster node, meanwhile. */
  async clear(): Promise<number> {
    await this.#servers.each(async ask => {
      for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
        const from = cursor;
        const [next, keys] = await ask(server => server.scan(from, 'MATCH', sessionKey('*'), 'COUNT', scannedAtOnce));
        await Promise.all(keys.map(key => this.#servers.askReplicated('removals', key, owner => owner.unlink(key))));
        cursor = next;
      }
    });
    return noEpochs.everyone;
  }

  ready(withinMs: number): Promise<boolean> {
    return this.#servers.ready(withinMs);
  }

  async close(): Promise<void> {
    this.#servers.close();
  }

  /**
   * Creates the session, and then its entry in the list of its user. The two may be on different servers. The
   * session exists before its entry, so a reader may remove an entry that has no session.
   *
   * Between the two steps, the session is in no list. It stays so if this process dies there; but no browser has its
   * token yet.
   */
  async #create(digest: string, record: NewSessionRecord): Promise<void> {
    const key = sessionKey(digest);
    const [head, json] = [headOf(record), JSON.stringify(record.data)];
    const untilMs = Math.floor(Math.min(record.idleUntilMs, record.absoluteUntilMs));
    const nowMs = this.#settings.now();
    const create = (server: Redis) => server.sessionCreate(key, nowMs, head, json, untilMs);
    if ((await this.#servers.askReplicated('writes', key, create)) !== 'created') throw new SessionExists();
    try {
      await this.#lists.add(record.user, digest, record.absoluteUntilMs);
    } catch (error) {
      // No browser has its token. If this fails as well, the session ends by its idle time-out.
      this.#servers.sendInBackground(key, server => server.unlink(key));
      this.#lists.forget(record.user, [digest]);
      throw error;
    }
  }

  /** Reads the list page by page, while a page has only sessions that timed out. Live sessions may follow. */
  async #list(user: string): Promise<SessionSummary[]> {
    for (;;) {
      const digests = await this.#lists.first(user);
      const replies = await Promise.all(digests.map(digest => this.#fieldsOf(digest)));
      const records = replies.map(reply => parseRecord(reply, this.#settings.now()));
      const dead = digests.filter((_, at) => records[at] === undefined);
      if (dead.length === listedMax) {
        await this.#lists.remove(user, dead);
        continue;
      }
      if (dead.length > 0) this.#lists.forget(user, dead);
      return digests.flatMap((digest, at) => summariesOf(digest, records[at]));
    }
  }

  async #removeByHandle(user: string, handle: string): Promise<boolean> {
    const digest = await this.#lists.find(user, handle);
    if (digest === undefined) return false;
    const [, owner] = await this.#removeSession(digest);
    this.#lists.forget(user, [digest]);
    return owner === user;
  }

  #fieldsOf(digest: string): Promise<readonly (string | null)[]> {
    const key = sessionKey(digest);
    return this.#servers.ask('reads', key, server => server.hmget(key, ...fields), []);
  }

  #removeSession(digest: string, onlyVersion?: number): Promise<[string, string?]> {
    const key = sessionKey(digest);
    const nowMs = this.#settings.now();
    const ask = (server: Redis) => server.sessionRemove(key, nowMs, onlyVersion ?? '');
    return this.#servers.askReplicated('removals', key, ask);
  }

  /** Applies the deadline to a sequence of commands. Each command could be in time, and the sequence late. */
  #inTime<T>(work: Promise<T>): Promise<T> {
    const { deadlineMs } = this.#settings;
    return withTimeout(
      deadlineMs,
      work,
      () => new StoreUnavailable(`the session store took more than ${deadlineMs} ms`),
    );
  }
}

function summariesOf(digest: string, record: SessionRecord | undefined): SessionSummary[] {
  if (record === undefined) return [];
  return [{ handle: handleOf(digest), createdAtMs: record.createdAtMs, idleUntilMs: record.idleUntilMs }];
}

export const redis: StoreEntry = {
  capabilities: { compareAndSet: true, durability: 'store-process', revocationLagMs: 0, dataBytesMax: 512 * 1024 },
  open: settings => new RedisStore(parseAddress(settings.url), settings),
  openFeed: settings => new RevocationStream(settings),
};

/** The two fields of a session's hash: everything except the data, and the data. `scripts.ts` describes the format. */
const fields = ['m', 'd'] as const;
const headShape = /^(\d+) (\d+) (\d+) (\d+) (.*)$/s;

function headOf({ version, idleUntilMs, absoluteUntilMs, createdAtMs, user }: NewSessionRecord): string {
  return [version, ...[idleUntilMs, absoluteUntilMs, createdAtMs].map(Math.floor), user].join(' ');
}

function parseRecord([head, json]: readonly (string | null)[], nowMs: number): SessionRecord | undefined {
  const [, version, idle, absolute, created, user] = headShape.exec(head ?? '') ?? [];
  if (user === undefined) return undefined;
  const [idleUntilMs, absoluteUntilMs] = [Number(idle), Number(absolute)];
  if (nowMs >= idleUntilMs || nowMs >= absoluteUntilMs) return undefined;
  const data = parseData(json ?? '');
  if (data === undefined) return undefined;
  return {
    user,
    data,
    version: Number(version),
    createdAtMs: Number(created),
    idleUntilMs,
    absoluteUntilMs,
    epochs: noEpochs,
  };
}

function parseData(json: string): SessionData | undefined {
  try {
    const data: SessionData | null = JSON.parse(json);
    return typeof data === 'object' && data !== null && !Array.isArray(data) ? data : undefined;
  } catch {
    return undefined;
  }
}
