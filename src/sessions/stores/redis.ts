import type { Redis } from 'ioredis';
import { parseAddress, type RedisAddress } from '../../shared/redis-address.js';
import { clientText, parseClient } from '../client.js';
import { SessionExists, StoreUnavailable } from '../errors.js';
import {
  assertIdOfUser,
  buildSummary,
  digestOf,
  type Epochs,
  handleOf,
  isPresent,
  type NewSessionRecord,
  type SessionData,
  type SessionRecord,
  type SessionSummary,
  userTagIn,
  userTagOf,
} from '../session.js';
import { prefixOf, type SessionStore, type StoreEntry, type StoreSettings, withTimeout } from '../session-store.js';
import { EveryoneEpoch, isEpoch, KnownEpochs } from './redis/epochs.js';
import { RevocationStream } from './redis/revocation-stream.js';
import { type RedisCommand, Servers } from './redis/servers.js';

const listedMax = 1_000;
/** Maximum number of sessions of one user. A login beyond it ends the oldest one. */
const sessionsPerUserMax = 1_000;
const handleShape = /^[0-9a-f]{16}$/;

/**
 * Sessions in Redis. Every command names one key, and goes to the server of that key. All sessions of a user are under
 * one key, together with the epoch of the user. So Redis loses either all of them or none.
 *
 * Where the address asks for replicas, the begin and the end of a session wait for them. They reject with
 * `StoreUnavailable` if too few replicas acknowledge in time. The command may still have been carried out. After
 * a failed `create`, a session may stay until its idle time-out, but no browser has its token. After a failed removal,
 * the session has ended here, and only a failover could restore it. A second removal waits for the replicas again.
 *
 * A change of the data does not wait for replicas. It would be reported as failed although readers see it, and a retry
 * would apply it twice. A touch does not wait either: without it, a session only ends sooner.
 */
class RedisStore implements SessionStore {
  readonly #servers: Servers;
  readonly #everyone: EveryoneEpoch;
  readonly #known = new KnownEpochs();
  readonly #settings: StoreSettings;
  #evictions = 0;

  constructor(address: RedisAddress, settings: StoreSettings) {
    this.#settings = settings;
    this.#servers = new Servers(address, settings);
    this.#everyone = new EveryoneEpoch(this.#servers, settings);
  }

  async read(id: string): Promise<SessionRecord | undefined> {
    const [tag, digest] = [userTagIn(id), digestOf(id)];
    const [key, handle] = [this.#keyOf(tag), handleOf(digest)];
    const ask: RedisCommand<(string | null)[]> = server => server.hmget(key, 'e', `m${handle}`, `d${handle}`);
    const [[epoch = null, head = null, json = null], everyone] = await Promise.all([
      this.#servers.ask('reads', key, ask, []),
      this.#everyone.readNear(key),
    ]);
    const user = isEpoch(epoch) ? this.#see(tag, Number(epoch)) : undefined;
    const record = head?.startsWith(digest) ? parseRecord(head, json, this.#settings.now()) : undefined;
    return record !== undefined && isPresent(record.epochs, { user, everyone }) ? record : undefined;
  }

  create(id: string, record: NewSessionRecord): Promise<Epochs> {
    assertIdOfUser(id, record.user);
    return this.#inTime(this.#create(id, record));
  }

  async replace(id: string, { version, data }: SessionRecord): Promise<'saved' | 'conflict' | 'gone'> {
    const json = JSON.stringify(data);
    const outcome = await this.#askPresent('writes', userTagIn(id), (server, ...args) =>
      server.sessionReplace(...args, digestOf(id), version - 1, version, json),
    );
    return outcome === 'done' ? 'saved' : outcome;
  }

  async touch(id: string, idleUntilMs: number): Promise<boolean> {
    const untilMs = Math.floor(idleUntilMs);
    const outcome = await this.#askPresent('writes', userTagIn(id), (server, ...args) =>
      server.sessionTouch(...args, digestOf(id), untilMs),
    );
    return outcome === 'done';
  }

  async remove(id: string, onlyVersion?: number): Promise<'removed' | 'conflict' | 'gone'> {
    const isReplicated = this.#servers.isReplicated ? 1 : 0;
    const outcome = await this.#askPresent('removals', userTagIn(id), (server, ...args) =>
      server.sessionRemove(...args, digestOf(id), onlyVersion ?? '', isReplicated),
    );
    return outcome === 'done' ? 'removed' : outcome;
  }

  async listByUser(user: string): Promise<readonly SessionSummary[]> {
    const tag = userTagOf(user);
    const key = this.#keyOf(tag);
    const ask: RedisCommand<(string | number)[]> = server =>
      server.sessionList(key, this.#settings.now(), this.#known.of(tag), listedMax);
    const [listed, everyone] = await Promise.all([this.#servers.ask('reads', key, ask), this.#everyone.readNear(key)]);
    const summaries: SessionSummary[] = [];
    for (let at = 0; at < listed.length; at += 5) {
      const [handle, createdAtMs, idleUntilMs, own, text] = listed.slice(at, at + 5);
      if (own !== everyone) continue;
      const times = { createdAtMs: Number(createdAtMs), idleUntilMs: Number(idleUntilMs) };
      summaries.push(buildSummary({ handle: String(handle), ...times, client: parseClient(text) }));
    }
    return summaries;
  }

  async removeByHandle(user: string, handle: string): Promise<boolean> {
    if (!handleShape.test(handle)) return false;
    const isReplicated = this.#servers.isReplicated ? 1 : 0;
    const outcome = await this.#askPresent('removals', userTagOf(user), (server, ...args) =>
      server.sessionRemoveByHandle(...args, handle, isReplicated),
    );
    return outcome === 'done';
  }

  async raiseEpoch(user: string, except?: string): Promise<number> {
    const tag = userTagOf(user);
    const key = this.#keyOf(tag);
    const kept = except !== undefined && userTagIn(except) === tag ? digestOf(except) : '';
    const ask: RedisCommand<number> = server => server.epochRaise(key, this.#settings.now(), this.#known.of(tag), kept);
    return this.#known.see(tag, await this.#servers.askReplicated('removals', key, ask));
  }

  /** Ends every session by the epoch of everyone. The sessions stay in Redis until they would have expired. */
  clear(): Promise<number> {
    return this.#inTime(this.#everyone.raise());
  }

  /** `evictions`: sessions that ended because their user began too many others, on this backend. */
  async statistics(): Promise<Readonly<Record<string, number>>> {
    return { evictions: this.#evictions };
  }

  ready(withinMs: number): Promise<boolean> {
    return this.#servers.ready(withinMs);
  }

  async close(): Promise<void> {
    this.#servers.close();
  }

  async #create(id: string, record: NewSessionRecord): Promise<Epochs> {
    const [tag, digest] = [userTagIn(id), digestOf(id)];
    const key = this.#keyOf(tag);
    const present = await this.#everyone.ensure(key, record.epochs?.everyone);
    const everyone = record.epochs?.everyone ?? present;
    const { version, idleUntilMs, absoluteUntilMs, createdAtMs } = record;
    const numbers = [version, ...[idleUntilMs, absoluteUntilMs, createdAtMs].map(Math.floor)].join(' ');
    const given = record.epochs?.user ?? '';
    const json = JSON.stringify(record.data);
    const [outcome, user = 0, evicted = 0] = await this.#servers.askReplicated('writes', key, server =>
      server.sessionCreate(
        key,
        this.#settings.now(),
        this.#known.of(tag),
        digest,
        numbers,
        record.user,
        json,
        given,
        everyone,
        present,
        sessionsPerUserMax,
        clientText(record.client),
      ),
    );
    if (outcome !== 'created') throw new SessionExists();
    this.#evictions += evicted;
    this.#known.see(tag, user);
    return { user, everyone };
  }

  /** Runs a script on the sessions of a user. Resolves with `gone` if the epoch of everyone is another than that of the
   * session. */
  async #askPresent(
    kind: 'writes' | 'removals',
    tag: string,
    ask: (server: Redis, key: string, nowMs: number, floor: number) => Promise<number>,
  ): Promise<'done' | 'conflict' | 'gone'> {
    const key = this.#keyOf(tag);
    const question: RedisCommand<number> = server => ask(server, key, this.#settings.now(), this.#known.of(tag));
    const asked =
      kind === 'removals' ? this.#servers.askReplicated(kind, key, question) : this.#servers.ask(kind, key, question);
    const [reply, everyone] = await Promise.all([asked, this.#everyone.readNear(key)]);
    if (reply === 0 || Math.abs(reply) !== everyone) return 'gone';
    return reply < 0 ? 'conflict' : 'done';
  }

  /** Records the epoch of a user on the server. Returns the highest one that was seen. A server with a lower one has
   * lost writes, and gets the highest again. */
  #see(tag: string, epoch: number): number {
    const highest = this.#known.see(tag, epoch);
    if (epoch < highest) {
      const key = this.#keyOf(tag);
      this.#servers.sendInBackground(key, server => server.epochKeep(key, this.#settings.now(), highest));
    }
    return highest;
  }

  #keyOf(tag: string): string {
    return `${prefixOf(this.#settings)}:user:${tag}`;
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

export const redis: StoreEntry = {
  capabilities: {
    compareAndSet: true,
    durability: 'store-process',
    revocationLagMs: 0,
    dataBytesMax: 512 * 1024,
    sessionsPerUserMax,
  },
  open: settings => new RedisStore(parseAddress(settings.url), settings),
  openFeed: settings => new RevocationStream(settings),
};

/** The head of a session, "digest version idle absolute created epochOfUser epochOfEveryone user". */
const headShape = /^[0-9a-f]{64} (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (.*)$/s;

/** Parses a session. Undefined if it has expired or cannot be read. */
function parseRecord(head: string, json: string | null, nowMs: number): SessionRecord | undefined {
  const [, version, idle, absolute, created, ofUser, ofEveryone, user] = headShape.exec(head) ?? [];
  const [idleUntilMs, absoluteUntilMs] = [Number(idle), Number(absolute)];
  if (user === undefined || json === null || !(nowMs < idleUntilMs && nowMs < absoluteUntilMs)) return undefined;
  const data = parseData(json);
  if (data === undefined) return undefined;
  const epochs = { user: Number(ofUser), everyone: Number(ofEveryone) };
  return { user, data, version: Number(version), createdAtMs: Number(created), idleUntilMs, absoluteUntilMs, epochs };
}

function parseData(json: string): SessionData | undefined {
  try {
    const data: SessionData | null = JSON.parse(json);
    return typeof data === 'object' && data !== null && !Array.isArray(data) ? data : undefined;
  } catch {
    return undefined;
  }
}
