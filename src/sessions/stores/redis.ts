import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { parseAddress, type RedisAddress } from '../../redis-address.js';
import { SessionExists, StoreUnavailable } from '../errors.js';
import type { SessionRecord, SessionSummary } from '../session.js';
import { digestOf, handleOf } from '../session-id.js';
import type { SessionStore, StoreEntry, StoreSettings } from '../session-store.js';
import { hasCode, isReadOnly, type RedisConnection, withinMs } from './redis/connection.js';
import { connectionTo, replicatedConnectionTo } from './redis/open-connection.js';
import { fields, headOf, readable } from './redis/record-text.js';
import { TooFewReplicas } from './redis/replicated.js';
import { RevocationStream } from './redis/revocation-stream.js';

const listedMax = 1000;
const scannedAtOnce = 1000;
const probeIntervalMs = 20;

/** What a server can refuse by itself: one without memory takes no writes, and still removals; one without replicas
 * takes what need not be replicated. */
type Kind = 'reads' | Write | `replicated ${Write}`;
type Write = 'writes' | 'removals';

const sessionKey = (digest: string) => `holdfast:session:${digest}`;
const userKey = (user: string) => `holdfast:user:${digestOf(user)}`;

/**
 * Sessions in Redis, over a connection that comes back by itself. What is behind it (one server, a primary that Sentinel
 * names, a cluster) is none of its concern: every question names the key whose server is to be asked.
 *
 * Where the address asks for replicas, what begins or ends a session waits for them, and is `StoreUnavailable` when too
 * few acknowledge in time. It may have been carried out all the same: after `create` some server may keep a session
 * until it ends idle, but nobody has its token; after a removal the session has ended here, and only a failover could
 * bring it back. A change of data does not wait: it would be answered as failed and be there for everybody to see, and
 * whoever tried it again would apply it twice. Nor does a touch: without it a session only ends sooner.
 */
class RedisStore implements SessionStore {
  readonly #redis: RedisConnection;
  /** For what begins and ends sessions; the same one where the address asks for no replicas. */
  readonly #replicated: RedisConnection;
  readonly #settings: StoreSettings;
  #state: 'starting' | 'up' | 'down' | 'closed' = 'starting';
  /** What the server refused when it was last asked for it. */
  readonly #refused = new Set<Kind>();

  constructor(address: RedisAddress, settings: StoreSettings) {
    this.#settings = settings;
    this.#redis = connectionTo(address, {
      deadlineMs: settings.deadlineMs,
      onUp: () => this.#wentUp(),
      onDown: why => this.#wentDown(why),
    });
    const { deadlineMs } = settings;
    this.#replicated = address.replicas === 0 ? this.#redis : replicatedConnectionTo(address, { deadlineMs });
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    return readable(await this.#fieldsOf(digestOf(id)), this.#settings.now());
  }

  async create(id: string, record: SessionRecord): Promise<void> {
    const late = () => new StoreUnavailable('the session store does not answer');
    await withinMs(this.#settings.deadlineMs, this.#create(digestOf(id), record), late);
  }

  async replace(id: string, { version, data }: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    const key = sessionKey(digestOf(id));
    const json = JSON.stringify(data);
    const nowMs = this.#settings.now();
    const ask = (server: Redis) => server.sessionReplace(key, nowMs, version - 1, version, json);
    const outcome = await this.#ask('writes', key, ask);
    return outcome === 'saved' || outcome === 'conflict' ? outcome : 'gone';
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    const key = sessionKey(digestOf(id));
    const untilMs = Math.floor(idleUntilMs);
    const ask = (server: Redis) => server.sessionTouch(key, this.#settings.now(), untilMs);
    return (await this.#ask('writes', key, ask)) === 1;
  }

  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const digest = digestOf(id);
    const [outcome, user] = await this.#removed(digest, onlyVersion);
    if (outcome === 'conflict') return outcome;
    if (user !== undefined) this.#unlist(userKey(user), [digest]);
    return user === undefined ? 'gone' : 'removed';
  }

  async listByUser(user: string): Promise<readonly SessionSummary[]> {
    const late = () => new StoreUnavailable('the session store did not list the sessions in time');
    return withinMs(this.#settings.deadlineMs, this.#list(userKey(user)), late);
  }

  async removeByHandle(user: string, handle: string): Promise<boolean> {
    const digests = await this.#digestsOf(userKey(user), this.#settings.now());
    const digest = digests.find(each => handleOf(each) === handle);
    if (digest === undefined) return false;
    const [, owner] = await this.#removed(digest);
    this.#unlist(userKey(user), [digest]);
    return owner === user;
  }

  /** Key by key, since the servers may be somebody else's as well. What is created meanwhile may be spared, and what
   * moves to another node of a cluster meanwhile. */
  async clear(): Promise<void> {
    const servers = await this.#settled('reads', async () => this.#redis.servers());
    await Promise.all(servers.map(server => this.#clear(server)));
  }

  async ready(waitMs: number): Promise<boolean> {
    const late = () => new StoreUnavailable('the session store is not up yet');
    return withinMs(waitMs, this.#answerPings(performance.now() + waitMs), late).catch(() => false);
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#redis.close();
    this.#replicated.close();
  }

  /**
   * The session, then its entry in the list of its user, which another server may have: what is listed has been there,
   * so a reader of the list may strike what it does not find. Between the two, and for good when this process dies
   * there, it is in no list; but nobody has its token yet.
   */
  async #create(digest: string, record: SessionRecord): Promise<void> {
    const { user, idleUntilMs, absoluteUntilMs } = record;
    const [session, list] = [sessionKey(digest), userKey(user)];
    const [head, json] = [headOf(record), JSON.stringify(record.data)];
    const untilMs = Math.floor(Math.min(idleUntilMs, absoluteUntilMs));
    const nowMs = this.#settings.now();
    const create = (server: Redis) => server.sessionCreate(session, nowMs, head, json, untilMs);
    if ((await this.#askReplicated('writes', session, create)) !== 'created') throw new SessionExists();
    try {
      const enlist = (server: Redis) => server.sessionIndex(list, nowMs, absoluteUntilMs, digest);
      await this.#askReplicated('writes', list, enlist);
    } catch (error) {
      this.#takeBack(digest, list);
      throw error;
    }
  }

  /** Page by page, as long as a page holds none but sessions that ended by idling: the living may stand behind them. */
  async #list(key: string): Promise<SessionSummary[]> {
    for (;;) {
      const nowMs = this.#settings.now();
      const digests = await this.#digestsOf(key, nowMs);
      const replies = await Promise.all(digests.map(digest => this.#fieldsOf(digest)));
      const records = replies.map(reply => readable(reply, nowMs));
      const dead = digests.filter((_, at) => records[at] === undefined);
      if (dead.length === listedMax) {
        await this.#ask('writes', key, server => server.zrem(key, ...dead));
        continue;
      }
      if (dead.length > 0) this.#unlist(key, dead);
      return digests.flatMap((digest, at) => summary(digest, records[at]));
    }
  }

  #digestsOf(key: string, nowMs: number): Promise<readonly string[]> {
    const ask = (server: Redis) => server.zrange(key, `(${nowMs}`, '+inf', 'BYSCORE', 'LIMIT', 0, listedMax);
    return this.#ask('reads', key, ask, []);
  }

  #fieldsOf(digest: string): Promise<readonly (string | null)[]> {
    const key = sessionKey(digest);
    return this.#ask('reads', key, server => server.hmget(key, ...fields), []);
  }

  #removed(digest: string, onlyVersion?: number): Promise<[string, string?]> {
    const key = sessionKey(digest);
    const nowMs = this.#settings.now();
    return this.#askReplicated('removals', key, server => server.sessionRemove(key, nowMs, onlyVersion ?? ''));
  }

  /** A session that nobody has the token of. Nobody waits for this either, nor need it succeed: it ends when idle. */
  #takeBack(digest: string, list: string): void {
    const session = sessionKey(digest);
    this.#redis.at(session, server => server.unlink(session)).catch(() => undefined);
    this.#unlist(list, [digest]);
  }

  /** Nobody waits for this, nor need it succeed: a reader of the list checks every session of it anyway. */
  #unlist(list: string, digests: readonly string[]): void {
    this.#redis.at(list, server => server.zrem(list, ...digests)).catch(() => undefined);
  }

  async #clear(server: Redis): Promise<void> {
    for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
      const from = cursor;
      const ask = () => server.scan(from, 'MATCH', sessionKey('*'), 'COUNT', scannedAtOnce);
      const [next, keys] = await this.#settled('reads', ask);
      await Promise.all(keys.map(key => this.#askReplicated('removals', key, owner => owner.unlink(key))));
      cursor = next;
    }
  }

  #ask<Answer>(
    kind: Kind,
    key: string,
    question: (server: Redis) => Promise<Answer>,
    foreign?: Answer,
  ): Promise<Answer> {
    return this.#settled(kind, () => this.#redis.at(key, question), foreign);
  }

  #askReplicated<Answer>(kind: Write, key: string, question: (server: Redis) => Promise<Answer>): Promise<Answer> {
    const isReplicated = this.#replicated !== this.#redis;
    return this.#settled(isReplicated ? `replicated ${kind}` : kind, () => this.#replicated.at(key, question));
  }

  /** Every failure means that the store cannot serve, but one: a key of another type is `foreign` where that is given. */
  async #settled<Answer>(kind: Kind, question: () => Promise<Answer>, foreign?: Answer): Promise<Answer> {
    try {
      const answer = await question();
      this.#tellServed(kind);
      return answer;
    } catch (error) {
      if (foreign !== undefined && hasCode(error, 'WRONGTYPE')) return foreign;
      this.#tellRefused(kind, error);
      throw new StoreUnavailable('the session store does not answer', { cause: error });
    }
  }

  /** Asks rather than trusts the client's status, which calls a connection ready that was lost this very moment. */
  async #answerPings(giveUpAtMs: number): Promise<boolean> {
    while (this.#state !== 'closed' && performance.now() < giveUpAtMs) {
      const checks = Promise.all([this.#redis.check(), this.#replicated.check()]);
      const answers = await checks.catch(() => undefined);
      if (answers !== undefined) return true;
      await delay(probeIntervalMs);
    }
    return false;
  }

  /** A server that answers and says no (no memory left, cannot save, no right to) loses no connection: told here. */
  #tellRefused(kind: Kind, error: unknown): void {
    if (!(error instanceof Error) || this.#refused.has(kind)) return;
    if (error.name !== 'ReplyError' && !(error instanceof TooFewReplicas)) return;
    // These two mean that a server was lost, which its connection tells.
    if (isReadOnly(error) || hasCode(error, 'CLUSTERDOWN')) return;
    this.#refused.add(kind);
    this.#settings.onEdge?.({ up: false, why: `it refuses ${kind}: ${error.message}` });
  }

  #tellServed(kind: Kind): void {
    if (this.#refused.size === 0 || !this.#refused.delete(kind) || this.#refused.size > 0) return;
    this.#settings.onEdge?.({ up: true, why: `it takes ${kind} again` });
  }

  #wentUp(): void {
    if (this.#state === 'down') this.#settings.onEdge?.({ up: true, why: 'connected again' });
    if (this.#state !== 'closed') this.#state = 'up';
    this.#refused.clear();
  }

  #wentDown(why: string): void {
    if (this.#state === 'down' || this.#state === 'closed') return;
    this.#state = 'down';
    this.#settings.onEdge?.({ up: false, why });
  }
}

function summary(digest: string, record: SessionRecord | undefined): SessionSummary[] {
  if (record === undefined) return [];
  return [{ handle: handleOf(digest), createdAtMs: record.createdAtMs, idleUntilMs: record.idleUntilMs }];
}

export const redis: StoreEntry = {
  capabilities: { compareAndSet: true, durability: 'store-process', revocationLagMs: 0, dataBytesMax: 512 * 1024 },
  open: settings => new RedisStore(parseAddress(settings.url), settings),
  openFeed: settings => new RevocationStream(settings),
};
