/**
 * Each script uses one key and is the one step in which Redis decides, so nothing can come between.
 * A session is one hash; its fields are listed in `../redis.ts`. Versions and deadlines are fields of their own: the
 * scripts compare them and never decode the data.
 *
 * `isAlive` is checked against ARGV[1], the caller's clock: a TTL may fire late, or the two clocks may differ.
 */
const alive = `
local at = redis.call('HMGET', KEYS[1], 'v', 'i', 'a', 'u')
local now = tonumber(ARGV[1])
local isAlive = at[1] and at[2] and at[3] and now < tonumber(at[2]) and now < tonumber(at[3])
`;

export const scripts = {
  /** now, v, d, i, a, u, c */
  sessionCreate: `${alive}
if isAlive then return 'exists' end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[3], 'i', ARGV[4], 'a', ARGV[5], 'u', ARGV[6], 'c', ARGV[7])
redis.call('PEXPIREAT', KEYS[1], math.min(tonumber(ARGV[4]), tonumber(ARGV[5])))
return 'created'`,

  /** now, the version that must be there, the next version, d */
  sessionReplace: `${alive}
if not isAlive then return 'gone' end
if at[1] ~= ARGV[2] then return 'conflict' end
redis.call('HSET', KEYS[1], 'v', ARGV[3], 'd', ARGV[4])
return 'saved'`,

  /** now, the new idle deadline */
  sessionTouch: `${alive}
if not isAlive then return 0 end
local idle = ARGV[2]
if tonumber(idle) > tonumber(at[3]) then idle = at[3] end
redis.call('HSET', KEYS[1], 'i', idle)
redis.call('PEXPIREAT', KEYS[1], idle)
return 1`,

  /** now, the only version to remove or '' for any; answers with the user too, whose list must forget it */
  sessionRemove: `${alive}
if isAlive and ARGV[2] ~= '' and at[1] ~= ARGV[2] then return {'conflict'} end
redis.call('DEL', KEYS[1])
if isAlive then return {'removed', at[4]} end
return {'gone'}`,

  /**
   * now, absolute deadline, digest of the session. The key is one user's list: a sorted set of digests by absolute
   * deadline, which no touch ever moves. What is past it is pruned here, what ended sooner when the list is read.
   */
  sessionIndex: `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], last[2])
return 1`,
} as const;
