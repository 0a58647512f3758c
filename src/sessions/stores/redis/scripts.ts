import type { ClientContext, Result } from 'ioredis';

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sessionCreate(key: string, nowMs: number, head: string, json: string, untilMs: number): Result<string, Context>;
    sessionReplace(key: string, nowMs: number, over: number, version: number, json: string): Result<string, Context>;
    sessionTouch(key: string, nowMs: number, idleUntilMs: number): Result<number, Context>;
    sessionRemove(key: string, nowMs: number, onlyVersion: number | ''): Result<[string, string?], Context>;
    sessionIndex(key: string, nowMs: number, absoluteUntilMs: number, digest: string): Result<number, Context>;
  }
}

/**
 * Lua scripts. Each uses one key and runs atomically in Redis.
 *
 * A session is a hash of two fields: `m`, "version idleUntil absoluteUntil createdAt user", and `d`, the data as JSON.
 * The scripts read and rewrite the first, and never decode the second.
 *
 * A key of another type holds no session. `pcall` handles it, because `call` would end the script with WRONGTYPE.
 * `isAlive` compares with ARGV[1], the clock of the caller, because the clock of the server may differ. The TTL only
 * removes what has ended. It is a duration, because on a server whose clock is ahead, a point in time may already have
 * passed. It ends a second after the session, so that a session which ends in a millisecond is still found until then.
 */
const graceMs = 1_000;

const parsed = `
local head = redis.pcall('HGET', KEYS[1], 'm')
local text = type(head) == 'string' and head or ''
local version, idle, absolute, rest = string.match(text, '^(%d+) (%d+) (%d+) (%d+ .*)$')
local now = tonumber(ARGV[1])
local isAlive = version and now < tonumber(idle) and now < tonumber(absolute)
`;

export const scripts = {
  /** Arguments: now, m, d, the earlier deadline. */
  sessionCreate: `${parsed}
if isAlive then return 'exists' end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'm', ARGV[2], 'd', ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[4] - now) + ${graceMs})
return 'created'`,

  /** Arguments: now, the version that must be there, the next version, d. */
  sessionReplace: `${parsed}
if not isAlive then return 'gone' end
if version ~= ARGV[2] then return 'conflict' end
redis.call('HSET', KEYS[1], 'm', table.concat({ARGV[3], idle, absolute, rest}, ' '), 'd', ARGV[4])
return 'saved'`,

  /** Arguments: now, the new idle deadline. */
  sessionTouch: `${parsed}
if not isAlive then return 0 end
idle = ARGV[2]
if tonumber(idle) > tonumber(absolute) then idle = absolute end
redis.call('HSET', KEYS[1], 'm', table.concat({version, idle, absolute, rest}, ' '))
redis.call('PEXPIRE', KEYS[1], math.ceil(idle - now) + ${graceMs})
return 1`,

  /** Arguments: now, the only version to remove or '' for any. The reply has the user too, because the list of the user
   * must drop the session. */
  sessionRemove: `${parsed}
if isAlive and ARGV[2] ~= '' and version ~= ARGV[2] then return {'conflict'} end
redis.call('DEL', KEYS[1])
if isAlive then return {'removed', string.match(rest, '^%d+ (.*)$')} end
return {'gone'}`,

  /**
   * Arguments: now, absolute deadline, digest of the session. The key is the list of one user: a sorted set of digests
   * by absolute deadline, which no touch moves. This script prunes entries past that deadline. Sessions that ended
   * earlier are removed when the list is read.
   */
  sessionIndex: `
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then redis.call('DEL', KEYS[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[1], math.ceil(last[2] - ARGV[1]) + ${graceMs})
return 1`,
} as const;
