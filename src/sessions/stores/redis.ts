import { setTimeout as delay } from 'node:timers/promises';
import { type ClientContext, Redis, type RedisOptions, type Result } from 'ioredis';
import { SessionExists, StoreUnavailable } from '../errors.js';
import type { SessionRecord, SessionSummary } from '../session.js';
import { digestOf, handleOf } from '../session-id.js';
import type { SessionStore, StoreEntry, StoreSettings } from '../session-store.js';
import { fields, headOf, readable } from './redis/record-text.js';
import { scripts } from './redis/scripts.js';

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sessionCreate(key: string, nowMs: number, head: string, json: string, untilMs: number): Result<string, Context>;
    sessionReplace(key: string, nowMs: number, over: number, version: number, json: string): Result<string, Context>;
    sessionTouch(key: string, nowMs: number, idleUntilMs: number): Result<number, Context>;
    sessionRemove(key: string, nowMs: number, onlyVersion: number | ''): Result<[string, string?], Context>;
    sessionIndex(key: string, nowMs: number, absoluteUntilMs: number, digest: string): Result<number, Context>;
  }
}

const listedMax = 1000;
const scannedAtOnce = 1000;
const retryDelayMaxMs = 500;
const probeIntervalMs = 20;

/** What a server can refuse by itself: one without memory takes no writes, and still removals. */
type Kind = 'reads' | 'writes' | 'removals';

const sessionKey = (digest: string) => `holdfast:session:${digest}`;
const userKey = (user: string) => `holdfast:user:${digestOf(user)}`;

/** Sessions in Redis, over one connection that comes back by itself. */
class RedisStore implements SessionStore {
  readonly #redis: Redis;
  readonly #settings: StoreSettings;
  #state: 'starting' | 'up' | 'down' | 'closed' = 'starting';
  #lastError: Error | undefined;
  /** What the server refused when it was last asked for it. */
  readonly #refused = new Set<Kind>();

  constructor(url: string, settings: StoreSettings) {
    this.#settings = settings;
    this.#redis = new Redis(url, connectionOptions(settings.deadlineMs));
    for (const [name, lua] of Object.entries(scripts)) this.#redis.defineCommand(name, { lua, numberOfKeys: 1 });
    this.#redis.on('error', error => {
      this.#lastError = error;
    });
    this.#redis.on('ready', () => this.#wentUp());
    this.#redis.on('close', () => this.#wentDown());
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    return readable(await this.#fieldsOf(digestOf(id)), this.#settings.now());
  }

  async create(id: string, record: SessionRecord): Promise<void> {
    const { user, idleUntilMs, absoluteUntilMs } = record;
    const digest = digestOf(id);
    const json = JSON.stringify(record.data);
    const untilMs = Math.floor(Math.min(idleUntilMs, absoluteUntilMs));
    const nowMs = this.#settings.now();
    // Two commands written together: one round trip. The list goes first, so that no session is ever missing from it.
    const ask = () =>
      Promise.all([
        this.#redis.sessionIndex(userKey(user), nowMs, absoluteUntilMs, digest),
        this.#redis.sessionCreate(sessionKey(digest), nowMs, headOf(record), json, untilMs),
      ]);
    const [, outcome] = await this.#ask('writes', ask);
    if (outcome !== 'created') throw new SessionExists();
  }

  async replace(id: string, { version, data }: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    const key = sessionKey(digestOf(id));
    const json = JSON.stringify(data);
    const nowMs = this.#settings.now();
    const ask = () => this.#redis.sessionReplace(key, nowMs, version - 1, version, json);
    const outcome = await this.#ask('writes', ask);
    return outcome === 'saved' || outcome === 'conflict' ? outcome : 'gone';
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    const key = sessionKey(digestOf(id));
    const untilMs = Math.floor(idleUntilMs);
    const ask = () => this.#redis.sessionTouch(key, this.#settings.now(), untilMs);
    return (await this.#ask('writes', ask)) === 1;
  }

  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const digest = digestOf(id);
    const ask = () => this.#redis.sessionRemove(sessionKey(digest), this.#settings.now(), onlyVersion ?? '');
    const [outcome, user] = await this.#ask('removals', ask);
    if (outcome === 'conflict') return outcome;
    // Nobody waits for this, nor need it succeed: a reader of the list checks every session of it anyway.
    if (user !== undefined) this.#redis.zrem(userKey(user), digest).catch(() => undefined);
    return user === undefined ? 'gone' : 'removed';
  }

  async listByUser(user: string): Promise<readonly SessionSummary[]> {
    const late = () => new StoreUnavailable('the session store did not list the sessions in time');
    return withinMs(this.#settings.deadlineMs, this.#list(userKey(user)), late);
  }

  async removeByHandle(user: string, handle: string): Promise<boolean> {
    const nowMs = this.#settings.now();
    const digests = await this.#digestsOf(userKey(user), nowMs);
    const digest = digests.find(each => handleOf(each) === handle);
    if (digest === undefined) return false;
    const ask = () => this.#redis.sessionRemove(sessionKey(digest), nowMs, '');
    const [, owner] = await this.#ask('removals', ask);
    this.#redis.zrem(userKey(user), digest).catch(() => undefined);
    return owner === user;
  }

  /** Key by key, since the server may be somebody else's as well. What is created meanwhile may be spared. */
  async clear(): Promise<void> {
    for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
      const from = cursor;
      const ask = () => this.#redis.scan(from, 'MATCH', sessionKey('*'), 'COUNT', scannedAtOnce);
      const [next, keys] = await this.#ask('reads', ask);
      if (keys.length > 0) await this.#ask('removals', () => this.#redis.unlink(...keys));
      cursor = next;
    }
  }

  async ready(waitMs: number): Promise<boolean> {
    const late = () => new StoreUnavailable('the session store is not up yet');
    return withinMs(waitMs, this.#answersPing(performance.now() + waitMs), late).catch(() => false);
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#redis.disconnect();
  }

  async #list(key: string): Promise<SessionSummary[]> {
    const nowMs = this.#settings.now();
    const digests = await this.#digestsOf(key, nowMs);
    const replies = await Promise.all(digests.map(digest => this.#fieldsOf(digest)));
    const records = replies.map(reply => readable(reply, nowMs));
    const dead = digests.filter((_, at) => records[at] === undefined);
    if (dead.length > 0) this.#redis.zrem(key, ...dead).catch(() => undefined);
    return digests.flatMap((digest, at) => summary(digest, records[at]));
  }

  #digestsOf(key: string, nowMs: number): Promise<readonly string[]> {
    const ask = () => this.#redis.zrange(key, `(${nowMs}`, '+inf', 'BYSCORE', 'LIMIT', 0, listedMax);
    return this.#ask('reads', ask, []);
  }

  #fieldsOf(digest: string): Promise<readonly (string | null)[]> {
    return this.#ask('reads', () => this.#redis.hmget(sessionKey(digest), ...fields), []);
  }

  /** Every failure means that the store cannot serve, but one: a key of another type is `foreign` where that is given. */
  async #ask<Answer>(kind: Kind, question: () => Promise<Answer>, foreign?: Answer): Promise<Answer> {
    this.#gather();
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

  /** What is asked within one turn of the event loop leaves in one write: for a busy backend the system call is the
   * dearest part of a question. */
  #gather(): void {
    const { stream } = this.#redis;
    if (stream === undefined || stream.writableCorked > 0) return;
    stream.cork();
    setImmediate(() => stream.uncork());
  }

  /** Asks rather than trusts the client's status, which calls a connection ready that was lost this very moment. */
  async #answersPing(giveUpAtMs: number): Promise<boolean> {
    while (this.#state !== 'closed' && performance.now() < giveUpAtMs) {
      const answer = await this.#redis.ping().catch(() => undefined);
      if (answer !== undefined) return true;
      await delay(probeIntervalMs);
    }
    return false;
  }

  /** A server that answers and says no (no memory left, cannot save, no right to) loses no connection: told here. */
  #tellRefused(kind: Kind, error: unknown): void {
    if (!(error instanceof Error) || error.name !== 'ReplyError') return;
    if (isReadOnly(error)) this.#lastError = error;
    else if (!this.#refused.has(kind)) {
      this.#refused.add(kind);
      this.#settings.onEdge?.({ up: false, why: `it refuses ${kind}: ${error.message}` });
    }
  }

  #tellServed(kind: Kind): void {
    if (this.#refused.size === 0 || !this.#refused.delete(kind) || this.#refused.size > 0) return;
    this.#settings.onEdge?.({ up: true, why: `it takes ${kind} again` });
  }

  #wentUp(): void {
    if (this.#state === 'down') this.#settings.onEdge?.({ up: true, why: 'connected again' });
    if (this.#state !== 'closed') this.#state = 'up';
    this.#lastError = undefined;
    this.#refused.clear();
  }

  #wentDown(): void {
    if (this.#state === 'down' || this.#state === 'closed') return;
    this.#state = 'down';
    this.#settings.onEdge?.({ up: false, why: reason(this.#lastError) });
  }
}

/**
 * Every way of waiting ends at the deadline or at once:
 * not connected: refused at once (no offline queue); no reply: `commandTimeout`, and by `socketTimeout` the connection
 * is given up, so that a hung server gathers no backlog and no late reply can meet another question.
 * Nothing is sent again by itself: a compare-and-set whose first answer got lost would then conflict with itself, and
 * the edit would be applied twice. So commands in flight on a lost connection fail at once (`maxRetriesPerRequest: 0`).
 */
function connectionOptions(deadlineMs: number) {
  return {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: deadlineMs,
    socketTimeout: deadlineMs,
    connectTimeout: deadlineMs,
    disconnectTimeout: 100,
    maxLoadingRetryTime: retryDelayMaxMs,
    // At once the first time: a connection given up because this process itself was stopped for a while is back at once.
    retryStrategy: (times: number) => Math.min((times - 1) * 50, retryDelayMaxMs),
    // After a failover the old master answers so: only a new connection finds the new one.
    reconnectOnError: isReadOnly,
    disableClientInfo: true,
  } satisfies RedisOptions;
}

function isReadOnly(error: Error): boolean {
  return hasCode(error, 'READONLY');
}

/** Anywhere in the text: up to Redis 6 a script's failure begins with a sentence of its own. */
function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.includes(code);
}

function summary(digest: string, record: SessionRecord | undefined): SessionSummary[] {
  if (record === undefined) return [];
  return [{ handle: handleOf(digest), createdAtMs: record.createdAtMs, idleUntilMs: record.idleUntilMs }];
}

async function withinMs<T>(ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function reason(error: Error | undefined): string {
  if (error === undefined) return 'the connection was closed';
  // Node joins the failures of all addresses of a name into an error without a message, but with a code.
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}

function checked(url: string | undefined): string {
  const isRedis = url !== undefined && URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol);
  if (isRedis) return url;
  throw new Error(
    `the session store "redis" needs an address such as redis://127.0.0.1:6379, but was given ${url ?? 'none'}`,
  );
}

export const redis: StoreEntry = {
  capabilities: { compareAndSet: true, durability: 'store-process', revocationLagMs: 0, dataBytesMax: 512 * 1024 },
  open: settings => new RedisStore(checked(settings.url), settings),
};
