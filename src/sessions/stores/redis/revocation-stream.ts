import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../../../shared/redis-address.js';
import { StoreUnavailable } from '../../errors.js';
import { pollUntilReady } from '../../in-time.js';
import { type RevocationFeed, RevokedTokens } from '../../revocation-feed.js';
import type { StoreSettings } from '../../session-store.js';
import type { RedisConnection } from './connection.js';
import { connectionTo, replicatedConnectionTo } from './servers.js';

const streamKey = 'holdfast:revoked';
const readAtOnce = 1_000;
const writtenAtOnce = 500;
const retryMs = 200;
const sweepIntervalMs = 30_000;
/** How long the server may block an idle read. A dead connection is detected within this time. */
const blockMs = 500;

/**
 * Appends an entry to the stream at the key. An entry has `until`, the time after which it may be forgotten. It also
 * has either `handles`, or `everyone`: the time until which tokens were issued. Each new entry removes the oldest
 * expired entries.
 *
 * Arguments: now, until, what, value.
 */
const lua = `
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then redis.call('DEL', KEYS[1]) end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 16)) do
  if tonumber(entry[2][2]) <= tonumber(ARGV[1]) then redis.call('XDEL', KEYS[1], entry[1]) end
end
redis.call('XADD', KEYS[1], '*', 'until', ARGV[2], ARGV[3], ARGV[4])
local lifeMs = ARGV[2] - ARGV[1]
if redis.call('PTTL', KEYS[1]) < lifeMs then redis.call('PEXPIRE', KEYS[1], lifeMs) end
return 1`;

type Entries = readonly [id: string, fields: string[]][];

/**
 * Revocations in a Redis stream. When it connects, a process reads the stream from the beginning. Then it waits for the
 * next entry: push, not polling.
 *
 * It does not continue from the last id. A server that came back empty, or another server after a failover, may restart
 * its ids. Reading an entry twice changes nothing.
 *
 * If the server came back empty, every process that knows a missing revocation appends it again. So a process that
 * starts later learns it too.
 */
export class RevocationStream implements RevocationFeed {
  /** A connection of its own: a blocked read delays every other command. */
  readonly #reader: RedisConnection;
  readonly #writer: RedisConnection;
  readonly #now: () => number;
  readonly #tokens = new RevokedTokens();
  readonly #sweeper: NodeJS.Timeout;
  /** Number of the present connection. A loop over an earlier connection ends. */
  #connection = 0;
  #state: 'unread' | 'read' | 'closed' = 'unread';

  constructor({ url, deadlineMs, now }: StoreSettings) {
    this.#now = now;
    this.#sweeper = setInterval(() => this.#tokens.sweep(now()), sweepIntervalMs).unref();
    const address = parseAddress(url);
    this.#writer = replicatedConnectionTo(address, { deadlineMs, key: streamKey });
    this.#reader = connectionTo(address, {
      deadlineMs: blockMs + deadlineMs,
      key: streamKey,
      onUp: () => void this.#follow(++this.#connection),
      onDown: () => void ++this.#connection,
    });
  }

  isRevoked(handle: string, issuedAtMs: number): boolean {
    if (this.#state === 'read') return this.#tokens.has(handle, issuedAtMs, this.#now());
    throw new StoreUnavailable('the list of revoked sessions could not be read yet');
  }

  async revoke(handles: readonly string[], untilMs: number): Promise<void> {
    if (!this.#tokens.hasRoomFor(handles.length)) throw new StoreUnavailable('the list of revoked sessions is full');
    for (let at = 0; at < handles.length; at += writtenAtOnce) {
      const some = handles.slice(at, at + writtenAtOnce);
      await this.#append(untilMs, 'handles', some.join(' '));
      this.#tokens.add(some, untilMs);
    }
  }

  async revokeEveryone(untilMs: number): Promise<void> {
    const issuedUntilMs = this.#now();
    await this.#append(untilMs, 'everyone', String(issuedUntilMs));
    this.#tokens.addEveryone(issuedUntilMs, untilMs);
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

  async #append(untilMs: number, what: 'handles' | 'everyone', value: string): Promise<void> {
    const args = [Math.floor(this.#now()), Math.ceil(untilMs), what, value];
    try {
      await this.#writer.at(streamKey, server => server.eval(lua, 1, streamKey, ...args));
    } catch (cause) {
      throw new StoreUnavailable('the list of revoked sessions cannot be changed now', { cause });
    }
  }

  /** Reads over one connection until that connection ends. */
  async #follow(connection: number): Promise<void> {
    const seen = new Set<string>();
    let isCaughtUp = false;
    let after = '0';
    while (connection === this.#connection) {
      const entries = await this.#readNext(after, isCaughtUp);
      if (entries === undefined) await delay(retryMs);
      for (const [id, fields] of entries ?? []) {
        const added = this.#addEntry(fields);
        if (!isCaughtUp) for (const name of added) seen.add(name);
        after = id;
      }
      if (isCaughtUp || entries === undefined || entries.length === readAtOnce) continue;
      isCaughtUp = true;
      if (this.#state === 'unread') this.#state = 'read';
      void this.#appendMissing(seen, connection);
    }
  }

  /** Returns the next entries. Undefined if the read failed: the connection is lost, or another application uses the
   * key. */
  async #readNext(after: string, isCaughtUp: boolean): Promise<Entries | undefined> {
    const from = ['STREAMS', streamKey, after] as const;
    try {
      const [stream] =
        (await this.#reader.at(streamKey, server =>
          isCaughtUp
            ? server.xread('COUNT', readAtOnce, 'BLOCK', blockMs, ...from)
            : server.xread('COUNT', readAtOnce, ...from),
        )) ?? [];
      return stream?.[1] ?? [];
    } catch {
      return undefined;
    }
  }

  /** Adds an entry to the local copy. Returns the names of what it revokes. */
  #addEntry([, until, what, value = '']: readonly string[]): readonly string[] {
    const untilMs = Number(until);
    if (!(untilMs > this.#now())) return [];
    if (what === 'everyone') {
      this.#tokens.addEveryone(Number(value), untilMs);
      return [everyoneUntil(Number(value))];
    }
    const handles = what === 'handles' ? value.split(' ') : [];
    this.#tokens.add(handles, untilMs);
    return handles;
  }

  /**
   * Appends the revocations that the server has lost. The writer may reconnect later than the reader, and a server may
   * refuse writes at first: this tries again until it succeeds or the connection ends.
   */
  async #appendMissing(seen: Set<string>, connection: number): Promise<void> {
    while (connection === this.#connection) {
      try {
        return await this.#appendAllBut(seen);
      } catch {
        await delay(retryMs);
      }
    }
  }

  /** Appends the revocations that are not among `seen`. Adds to `seen` what the server has then. */
  async #appendAllBut(seen: Set<string>): Promise<void> {
    const nowMs = this.#now();
    const { issuedUntilMs, untilMs } = this.#tokens.everyone;
    if (untilMs > nowMs && !seen.has(everyoneUntil(issuedUntilMs))) {
      await this.#append(untilMs, 'everyone', String(issuedUntilMs));
      seen.add(everyoneUntil(issuedUntilMs));
    }
    const lost = [...this.#tokens.entries()].filter(([handle, until]) => until > nowMs && !seen.has(handle));
    for (let at = 0; at < lost.length; at += writtenAtOnce) {
      const some = lost.slice(at, at + writtenAtOnce);
      const latestMs = Math.max(...some.map(([, until]) => until));
      await this.#append(latestMs, 'handles', some.map(([handle]) => handle).join(' '));
      for (const [handle] of some) seen.add(handle);
    }
  }
}

function everyoneUntil(issuedUntilMs: number): string {
  return `everyone until ${issuedUntilMs}`;
}
