import type { ClientContext, Result } from 'ioredis';
import { clockToleranceMs } from '../../session.js';

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    sessionCreate(...args: CreateArguments): Result<[string, number?, number?], Context>;
    sessionReplace(
      key: string,
      nowMs: number,
      floor: number,
      digest: string,
      over: number,
      version: number,
      json: string,
    ): Result<number, Context>;
    sessionTouch(
      key: string,
      nowMs: number,
      floor: number,
      digest: string,
      idleUntilMs: number,
    ): Result<number, Context>;
    sessionRemove(
      key: string,
      nowMs: number,
      floor: number,
      digest: string,
      onlyVersion: number | '',
      isReplicated: 0 | 1,
    ): Result<number, Context>;
    sessionRemoveByHandle(
      key: string,
      nowMs: number,
      floor: number,
      handle: string,
      isReplicated: 0 | 1,
    ): Result<number, Context>;
    sessionList(key: string, nowMs: number, floor: number, count: number): Result<(string | number)[], Context>;
    epochRaise(key: string, nowMs: number, floor: number, except: string): Result<number, Context>;
    epochKeep(key: string, nowMs: number, floor: number): Result<number, Context>;
    everyoneMake(key: string, epoch: number): Result<number, Context>;
    everyoneRaise(key: string, epoch: number): Result<number, Context>;
  }
}

type CreateArguments = readonly [
  key: string,
  nowMs: number,
  floor: number,
  digest: string,
  numbers: string,
  user: string,
  json: string,
  given: number | '',
  everyone: number,
  presentEveryone: number,
  sessionsMax: number,
  client: string,
];

/** A session is kept this much longer than it lives. So a session which ends in a millisecond is found until then. */
const graceMs = 1_000;
/** A session is pruned only after it has expired for this long by the clock of the caller, which may be ahead. */
const pruneAfterMs = 600_000;
/** The epoch of a user without sessions is kept this long. A rotation that reads an old session takes less. */
const epochLifeMs = 3_600_000;
/** Up to this many sessions of a user are pruned at every login, more at one login in sixteen. */
const prunedAlwaysMax = 32;

/** Returns the number of an epoch. Any other value is a lost epoch: nil. */
const toEpoch = `
local function toEpoch(text)
  return type(text) == 'string' and #text < 16 and tonumber(string.match(text, '^%d+$')) or nil
end`;

/**
 * Lua scripts. Each uses one key and runs atomically in Redis. So a slot of a cluster can move at any time.
 *
 * All sessions of a user are in one hash:
 *
 *   e          the epoch of the user
 *   m<handle>  "digest version idleUntil absoluteUntil createdAt epochOfUser epochOfEveryone user" of a session
 *   d<handle>  its data as JSON, which no script decodes
 *   c<handle>  the client that began it as JSON, or empty; only the list reads it
 *
 * A key of another type holds no session. `pcall` handles it, because `call` would end the script with WRONGTYPE.
 * Deadlines are compared with ARGV[1], the clock of the caller, because the clock of the server may differ. The TTL
 * only removes the last sessions of a user. It is a duration, because on a server whose clock is ahead, a point in time
 * may already have passed.
 *
 * ARGV[2] is the highest epoch of the user that the caller has seen. A server with a lower one has lost writes: its
 * sessions have ended. The epoch of everyone is another key. So a script on one session replies with the epoch of
 * everyone of that session, and the caller compares. 0: the session was not found. Negative: it has another version, and
 * nothing was changed.
 *
 * Redis checks `maxmemory` only before the first write of a script. So the first write is one that needs memory. Where
 * sessions end, it is a removal: they must end on a full server too.
 */
const prologue = `
local now, floor = tonumber(ARGV[1]), tonumber(ARGV[2])
${toEpoch}
local present = toEpoch(redis.pcall('HGET', KEYS[1], 'e'))

local function read(handle)
  local head = redis.pcall('HGET', KEYS[1], 'm' .. handle)
  if type(head) ~= 'string' then return nil end
  local digest, version, idle, absolute, created, user, everyone, name =
    string.match(head, '^(%x+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
  if not digest then return nil end
  local session = {digest = digest, version = version, idle = idle, absolute = absolute, created = created, name = name}
  session.user, session.everyone = tonumber(user), tonumber(everyone)
  session.untilMs = math.min(tonumber(idle), tonumber(absolute))
  session.isAlive = now < session.untilMs and session.user == present and present >= floor
  return session
end

-- Returns the session with this digest, if it lives.
local function find(digest)
  local session = read(string.sub(digest, 1, 16))
  return session and session.isAlive and session.digest == digest and session or nil
end

local function write(session)
  local epochs = string.format('%.0f %.0f', session.user, session.everyone)
  local head = {session.digest, session.version, session.idle, session.absolute, session.created, epochs, session.name}
  redis.call('HSET', KEYS[1], 'm' .. string.sub(session.digest, 1, 16), table.concat(head, ' '))
end

local function forget(handle)
  return redis.pcall('HDEL', KEYS[1], 'm' .. handle, 'd' .. handle, 'c' .. handle)
end

local function keepFor(ms)
  if ms > redis.call('PTTL', KEYS[1]) then redis.call('PEXPIRE', KEYS[1], math.ceil(ms)) end
end

-- Calls with handle, earlier deadline, creation, epoch of the user and epoch of everyone of each session.
local function each(visit)
  local fields = {}
  local names = redis.pcall('HKEYS', KEYS[1])
  if names.err then return end
  for _, name in ipairs(names) do
    if string.byte(name) == 109 then fields[#fields + 1] = name end
  end
  for at = 1, #fields, 500 do
    local some = {unpack(fields, at, math.min(at + 499, #fields))}
    for number, head in ipairs(redis.call('HMGET', KEYS[1], unpack(some))) do
      local idle, absolute, created, user, everyone =
        string.match(head, '^%x+ %d+ (%d+) (%d+) (%d+) (%d+) (%d+) ')
      local untilMs = idle and math.min(tonumber(idle), tonumber(absolute)) or 0
      visit(string.sub(some[number], 2), untilMs, tonumber(created), tonumber(user), tonumber(everyone))
    end
  end
end
`;

/**
 * Writes something that replicas must acknowledge, if the removal changed nothing. An earlier removal may not have
 * reached them yet, and WAIT counts only replicas that have the writes of its own connection.
 */
const confirmed = `
local function confirm(removed)
  if ARGV[#ARGV] ~= '1' or removed ~= 0 then return end
  if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), ${graceMs}))
  else
    redis.call('HSET', KEYS[1], 'e', string.format('%.0f', math.max(now + ${clockToleranceMs}, floor)))
    redis.call('PEXPIRE', KEYS[1], ${epochLifeMs})
  end
end
`;

export const scripts = {
  /**
   * Arguments: now, floor, digest, "version idle absolute created", user, d, the given epoch of the user or '', that of
   * everyone, the present one of everyone, maximum number of sessions, c. Replies with the epoch of the session, and the
   * number of sessions that ended to make room.
   */
  sessionCreate: `${prologue}
local digest, given = ARGV[3], tonumber(ARGV[7])
local handle = string.sub(digest, 1, 16)
local session = read(handle)
if session and session.isAlive and session.everyone == tonumber(ARGV[9]) then return {'exists'} end
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then
  redis.call('SET', KEYS[1], '')
  redis.call('DEL', KEYS[1])
end
present = math.max(present or given or math.max(now + ${clockToleranceMs}, floor + 1), given or 0, floor)
local own = given or present
local epochs = string.format('%.0f %.0f', own, tonumber(ARGV[8]))
local head = table.concat({digest, ARGV[4], epochs, ARGV[5]}, ' ')
redis.call('HSET', KEYS[1], 'e', string.format('%.0f', present), 'm' .. handle, head, 'd' .. handle, ARGV[6],
  'c' .. handle, ARGV[11])
keepFor(math.max(read(handle).untilMs - now + ${graceMs}, ${epochLifeMs}))

local count, max, evicted = (redis.call('HLEN', KEYS[1]) - 1) / 3, tonumber(ARGV[10]), 0
if count > ${prunedAlwaysMax} and count <= max and string.sub(handle, 1, 1) ~= '0' then return {'created', own, 0} end
local oldest, oldestUntilMs, oldestCreated
count = 0
each(function(other, untilMs, created, ofUser)
  if ofUser ~= present or now >= untilMs + ${pruneAfterMs} then
    if other ~= handle then forget(other) end
    return
  end
  count = count + 1
  if other ~= handle and (not oldest or created < oldestCreated) then
    oldest, oldestUntilMs, oldestCreated = other, untilMs, created
  end
end)
if not given and count > max then
  forget(oldest)
  evicted = now < oldestUntilMs and 1 or 0
end
return {'created', own, evicted}`,

  /** Arguments: now, floor, digest, the version that must be there, the next version, d. */
  sessionReplace: `${prologue}
local session = find(ARGV[3])
if not session then return 0 end
if session.version ~= ARGV[4] then return -session.everyone end
session.version = ARGV[5]
write(session)
redis.call('HSET', KEYS[1], 'd' .. string.sub(ARGV[3], 1, 16), ARGV[6])
return session.everyone`,

  /** Arguments: now, floor, digest, the new idle deadline. */
  sessionTouch: `${prologue}
local session = find(ARGV[3])
if not session then return 0 end
session.idle = ARGV[4]
if tonumber(session.idle) > tonumber(session.absolute) then session.idle = session.absolute end
write(session)
keepFor(tonumber(session.idle) - now + ${graceMs})
return session.everyone`,

  /** Arguments: now, floor, digest, the only version to remove or '' for any, 1 if replicas must acknowledge. */
  sessionRemove: `${prologue}${confirmed}
local session = find(ARGV[3])
if session and ARGV[4] ~= '' and session.version ~= ARGV[4] then return -session.everyone end
confirm(forget(string.sub(ARGV[3], 1, 16)))
return session and session.everyone or 0`,

  /** Arguments: now, floor, handle, 1 if replicas must acknowledge. */
  sessionRemoveByHandle: `${prologue}${confirmed}
local session = read(ARGV[3])
confirm(forget(ARGV[3]))
return session and session.isAlive and session.everyone or 0`,

  /** Arguments: now, floor, maximum number. Replies with handle, creation, deadline, epoch of everyone and client of
   * each session that lives. Removes nothing: the clock of the caller may be ahead. */
  sessionList: `${prologue}
local listed = {}
each(function(handle, untilMs, created, ofUser, everyone)
  if now >= untilMs or ofUser ~= present or present < floor or #listed >= 5 * tonumber(ARGV[3]) then return end
  local client = redis.call('HGET', KEYS[1], 'c' .. handle) or ''
  for _, field in ipairs({handle, created, untilMs, everyone, client}) do listed[#listed + 1] = field end
end)
return listed`,

  /** Arguments: now, floor, digest of the session that goes on or ''. */
  epochRaise: `${prologue}
local kept = ARGV[3] ~= '' and find(ARGV[3]) or nil
local handle = string.sub(ARGV[3], 1, 16)
local json = kept and redis.call('HGET', KEYS[1], 'd' .. handle)
local client = kept and redis.call('HGET', KEYS[1], 'c' .. handle) or ''
local lifeMs = math.max(redis.call('PTTL', KEYS[1]), ${epochLifeMs})
local epoch = math.max(present and present + 1 or now + ${clockToleranceMs}, now, floor + 1)
redis.call('UNLINK', KEYS[1])
redis.call('HSET', KEYS[1], 'e', string.format('%.0f', epoch))
if json then
  kept.user = epoch
  kept.version = string.format('%.0f', kept.version + 1)
  write(kept)
  redis.call('HSET', KEYS[1], 'd' .. handle, json, 'c' .. handle, client)
end
redis.call('PEXPIRE', KEYS[1], lifeMs)
return epoch`,

  /** Arguments: now, floor. Gives a server that has lost writes the epoch that the caller has seen. */
  epochKeep: `${prologue}
if present and present < floor then redis.call('HSET', KEYS[1], 'e', string.format('%.0f', floor)) end
return 1`,

  /** Argument: the epoch of everyone to use if there is none. Replies with the present one. */
  everyoneMake: `
${toEpoch}
local present = toEpoch(redis.pcall('GET', KEYS[1]))
if not present then redis.call('SET', KEYS[1], ARGV[1]) end
return present or tonumber(ARGV[1])`,

  /** Argument: an epoch of everyone. Replies with the present one, which is at least this. */
  everyoneRaise: `
${toEpoch}
local present = toEpoch(redis.pcall('GET', KEYS[1]))
if present and present >= tonumber(ARGV[1]) then return present end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
return tonumber(ARGV[1])`,
} as const;
