import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../../../shared/redis-address.js';
import { StoreUnavailable } from '../../errors.js';
import { everyone, type RevocableToken, type RevocationFeed, RevokedTokens } from '../../revocation-feed.js';
import type { Epochs } from '../../session.js';
import { pollUntilReady, prefixOf, type StoreSettings } from '../../session-store.js';
import type { RedisConnection } from './connection.js';
import { connectionTo, replicatedConnectionTo } from './servers.js';

const readAtOnce = 1_000;
const retryMs = 200;
const sweepIntervalMs = 30_000;
/** How long the server may block an idle read. A dead connection is detected within this time. */
const blockMs = 500;
/** Interval of the audits. Each reads one page of the stream: a small stream is read completely each time. */
const auditIntervalMs = 2_000;

/**
 * One entry of the stream of revocations:
 *
 *   handles   <handle> <handle> ...   these sessions
 *   user      <tag> <epoch>           all sessions of this user with an older epoch
 *   everyone  <epoch>                 all sessions with an older epoch
 */
interface RevocationEntry {
  /** Time after which the entry may be forgotten. */
  readonly untilMs: number;
  readonly what: 'handles' | 'user' | 'everyone';
  readonly value: string;
}

/**
 * Appends an entry to the stream at the key. Each new entry removes the oldest expired entries. It is appended first,
 * because a server without memory refuses only a script that has written nothing yet. An epoch of a user also removes
 * older ones of this user among the last entries, so that one user who logs out again and again does not fill memory.
 *
 * Arguments: now, until, what, value.
 */
const lua = `
local added = redis.pcall('XADD', KEYS[1], '*', 'until', ARGV[2], ARGV[3], ARGV[4])
if added.err then
  if not string.find(added.err, 'WRONGTYPE') then return added end
  redis.call('DEL', KEYS[1])
  redis.call('XADD', KEYS[1], '*', 'until', ARGV[2], ARGV[3], ARGV[4])
end
if ARGV[3] == 'user' then
  local tag = string.match(ARGV[4], '^%S+')
  for at, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 32)) do
    local of, epoch = string.match(entry[2][4], '^(%S+) (%d+)$')
    if at > 1 and entry[2][3] == 'user' and of == tag and tonumber(epoch) <= tonumber(string.match(ARGV[4], '%d+$')) then
      redis.call('XDEL', KEYS[1], entry[1])
    end
  end
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 16)) do
  if tonumber(entry[2][2]) <= tonumber(ARGV[1]) then redis.call('XDEL', KEYS[1], entry[1]) end
end
local lifeMs = ARGV[2] - ARGV[1]
if redis.call('PTTL', KEYS[1]) < lifeMs then redis.call('PEXPIRE', KEYS[1], lifeMs) end
return 1`;

type Entries = readonly [id: string, fields: string[]][];

/** One pass over the stream from its beginning. */
interface Audit {
  /** Names of what the stream revokes, as far as the pass has read it. */
  readonly seen: Set<string>;
  /** The last id that it read. Undefined: none. */
  after: string | undefined;
  dueAtMs: number;
}

/**
 * Revocations in a Redis stream. When it connects, a process reads the stream from the beginning. Then it waits for the
 * next entry: push, not polling.
 *
 * It does not continue from the last id. A server that came back empty, or another server after a failover, may restart
 * its ids. Reading an entry twice changes nothing.
 *
 * Every process also reads the stream again and again, a page at a time. It appends each revocation that it knows and
 * the stream has lost: the server came back empty, or the stream was evicted, trimmed or deleted. So a process that
 * starts later learns it too.
 */
export class RevocationStream implements RevocationFeed {
  readonly #key: string;
  /** A connection of its own: a blocked read delays every other command. */
  readonly #reader: RedisConnection;
  readonly #writer: RedisConnection;
  readonly #now: () => number;
  readonly #tokens = new RevokedTokens();
  readonly #sweeper: NodeJS.Timeout;
  /** Number of the present connection. A loop over an earlier connection ends. */
  #connection = 0;
  #state: 'unread' | 'read' | 'closed' = 'unread';
  #lastId = '0';
  #audit = beginAudit(0);
  #isRepairing = false;
  /** Time at which the whole stream was known, on the clock of `performance`. */
  #knownAtMs = Number.NEGATIVE_INFINITY;

  constructor(settings: StoreSettings) {
    const { url, deadlineMs, now } = settings;
    const key = `${prefixOf(settings)}:revoked`;
    this.#key = key;
    this.#now = now;
    this.#sweeper = setInterval(() => this.#tokens.sweep(now()), sweepIntervalMs).unref();
    const address = parseAddress(url);
    this.#writer = replicatedConnectionTo(address, { deadlineMs, key });
    this.#reader = connectionTo(address, {
      deadlineMs: blockMs + deadlineMs,
      key,
      onUp: () => void (this.#state === 'closed' || this.#follow(++this.#connection)),
      onDown: () => void ++this.#connection,
    });
  }

  isRevoked(token: RevocableToken): boolean {
    this.#assertRead();
    return this.#tokens.has(token, this.#now());
  }

  findEpochs(userTag: string): Epochs {
    this.#assertRead();
    return this.#tokens.findEpochs(userTag, this.#now());
  }

  hasRoomFor(handles: number): boolean {
    return this.#tokens.hasRoomFor(handles);
  }

  hasRoomForUser(userTag: string): boolean {
    return this.#tokens.hasRoomForUser(userTag);
  }

  async revoke(handles: readonly string[], untilMs: number): Promise<void> {
    for (const entry of buildHandlesEntries(handles, untilMs)) await this.#append(entry);
  }

  tellEpoch(owner: string, epoch: number, untilMs: number): Promise<void> {
    return this.#append(buildEpochEntry(owner, epoch, untilMs));
  }

  /** Reads on the connection of the writer: the other one may be blocked for half a second. */
  async catchUp(): Promise<void> {
    try {
      for (let count = readAtOnce; count === readAtOnce; ) {
        const from = this.#lastId;
        const entries = await this.#writer.at(this.#key, async server => {
          const [stream] = (await server.xread('COUNT', readAtOnce, 'STREAMS', this.#key, from)) ?? [];
          return stream?.[1] ?? [];
        });
        this.#addAll(entries);
        count = entries.length;
      }
    } catch (cause) {
      throw new StoreUnavailable('the list of revoked sessions cannot be read now', { cause });
    }
  }

  ageMs(): number {
    return performance.now() - this.#knownAtMs;
  }

  ready(withinMs: number): Promise<boolean> {
    const serves = async () => this.#state === 'read';
    return pollUntilReady(withinMs, { serves, isOver: () => this.#state === 'closed' });
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#connection++;
    clearInterval(this.#sweeper);
    for (const connection of [this.#reader, this.#writer]) connection.close();
  }

  #assertRead(): void {
    if (this.#state !== 'read') throw new StoreUnavailable('the list of revoked sessions could not be read yet');
  }

  async #append(entry: RevocationEntry): Promise<void> {
    const { untilMs, what, value } = entry;
    const args = [Math.floor(this.#now()), Math.ceil(untilMs), what, value];
    try {
      await this.#writer.at(this.#key, server => server.eval(lua, 1, this.#key, ...args));
    } catch (cause) {
      throw new StoreUnavailable('the list of revoked sessions cannot be changed now', { cause });
    }
    for (const name of addEntry(this.#tokens, entry)) this.#audit.seen.add(name);
  }

  /** Reads over one connection until that connection ends. */
  async #follow(connection: number): Promise<void> {
    this.#lastId = '0';
    this.#audit = beginAudit(0);
    let isCaughtUp = false;
    while (connection === this.#connection) {
      const entries = await this.#readNext(isCaughtUp);
      if (connection !== this.#connection) return;
      if (entries === undefined) await delay(retryMs);
      this.#addAll(entries ?? []);
      if (entries === undefined || entries.length === readAtOnce) continue;
      isCaughtUp = true;
      this.#knownAtMs = performance.now();
      if (this.#state === 'unread') this.#state = 'read';
      if (performance.now() >= this.#audit.dueAtMs && !this.#isRepairing) await this.#auditPage();
    }
  }

  /** Returns the next entries. Undefined if the read failed: the connection is lost, or another application uses the
   * key. */
  async #readNext(isCaughtUp: boolean): Promise<Entries | undefined> {
    const from = ['STREAMS', this.#key, this.#lastId] as const;
    try {
      const [stream] =
        (await this.#reader.at(this.#key, server =>
          isCaughtUp
            ? server.xread('COUNT', readAtOnce, 'BLOCK', blockMs, ...from)
            : server.xread('COUNT', readAtOnce, ...from),
        )) ?? [];
      return stream?.[1] ?? [];
    } catch {
      return undefined;
    }
  }

  #addAll(entries: Entries): void {
    for (const [id, fields] of entries) {
      this.#addFields(fields);
      this.#lastId = id;
    }
  }

  #addFields(fields: readonly string[]): void {
    const entry = parseEntry(fields);
    if (entry === undefined || !(entry.untilMs > this.#now())) return;
    for (const name of addEntry(this.#tokens, entry)) this.#audit.seen.add(name);
  }

  /** Reads the next page of the audit. After the last page it appends what is missing. */
  async #auditPage(): Promise<void> {
    const audit = this.#audit;
    const from = audit.after === undefined ? '-' : `(${audit.after}`;
    const read = this.#reader.at(this.#key, server => server.xrange(this.#key, from, '+', 'COUNT', readAtOnce));
    const page = await read.catch(() => []);
    for (const [, fields] of page) this.#addFields(fields);
    audit.after = page.at(-1)?.[0] ?? audit.after;
    audit.dueAtMs = performance.now() + auditIntervalMs;
    if (page.length === readAtOnce) return;
    this.#audit = beginAudit(audit.dueAtMs);
    void this.#repair(buildMissingEntries(this.#tokens, audit.seen, this.#now()));
  }

  /** Appends what the stream has lost. The writer may reconnect later than the reader, and a server may refuse writes at
   * first: then the next audit is soon. */
  async #repair(missing: readonly RevocationEntry[]): Promise<void> {
    this.#isRepairing = true;
    try {
      for (const entry of missing) await this.#append(entry);
    } catch {
      this.#audit.dueAtMs = performance.now() + retryMs;
    } finally {
      this.#isRepairing = false;
    }
  }
}

function beginAudit(dueAtMs: number): Audit {
  return { seen: new Set(), after: undefined, dueAtMs };
}

const handlesPerEntry = 500;

function buildHandlesEntries(handles: readonly string[], untilMs: number): RevocationEntry[] {
  const entries: RevocationEntry[] = [];
  for (let at = 0; at < handles.length; at += handlesPerEntry)
    entries.push({ untilMs, what: 'handles', value: handles.slice(at, at + handlesPerEntry).join(' ') });
  return entries;
}

function buildEpochEntry(owner: string, epoch: number, untilMs: number): RevocationEntry {
  if (owner === everyone) return { untilMs, what: 'everyone', value: String(epoch) };
  return { untilMs, what: 'user', value: `${owner} ${epoch}` };
}

/** Parses the fields of an entry. Undefined for an entry of another program. */
function parseEntry([, until, what, value = '']: readonly string[]): RevocationEntry | undefined {
  const isOurs = what === 'handles' || what === 'user' || what === 'everyone';
  return isOurs ? { untilMs: Number(until), what, value } : undefined;
}

/** Adds an entry to the copy. Returns the names of what it revokes. */
function addEntry(tokens: RevokedTokens, { untilMs, what, value }: RevocationEntry): readonly string[] {
  const words = value.split(' ');
  if (what === 'handles') {
    tokens.add(words, untilMs);
    return words;
  }
  const [owner = '', epoch] = what === 'everyone' ? [everyone, value] : words;
  tokens.addEpoch(owner, Number(epoch), untilMs);
  return [nameEpoch(owner, Number(epoch))];
}

/** Returns the entries of the local copy that the stream lacks. `seen`: the names in the stream. */
function buildMissingEntries(tokens: RevokedTokens, seen: ReadonlySet<string>, nowMs: number) {
  const missing: RevocationEntry[] = [];
  for (const [owner, { epoch, untilMs }] of tokens.epochs()) {
    if (untilMs > nowMs && !seen.has(nameEpoch(owner, epoch))) missing.push(buildEpochEntry(owner, epoch, untilMs));
  }
  const lost = [...tokens.handles()].filter(([handle, untilMs]) => untilMs > nowMs && !seen.has(handle));
  const latestMs = lost.reduce((latest, [, untilMs]) => Math.max(latest, untilMs), 0);
  return [
    ...missing,
    ...buildHandlesEntries(
      lost.map(([handle]) => handle),
      latestMs,
    ),
  ];
}

/** An epoch has a name of its own: an older one in the stream does not replace a newer one. */
function nameEpoch(owner: string, epoch: number): string {
  return `${owner} ${epoch}`;
}
