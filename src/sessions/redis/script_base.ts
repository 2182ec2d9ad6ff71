/**
 * What all Lua scripts of sessions have in common. Each is one atomic step and takes the server's time once.
 *
 * All keys of one slot share a hash tag, written `{…}` here:
 *
 * | key | type | what |
 * |---|---|---|
 * | `{…}:s:` handle | hash | a session. The handle is the SHA-256 of its token, which itself never gets here |
 * | `{…}:su:` user | sorted set | the handles of a user's sessions by the millisecond in which they expire |
 * | `{…}:st:` tag | sorted set | the same for a tag |
 * | `{…}:sl` | sorted set | the *ledger*: what was revoked, and the clock |
 * | `{…}:sr:` handle `:sl` | sorted set | what became of a handle that was replaced or ended a moment ago |
 *
 * Fields of a session: `m` version of the format, clock of its birth, milliseconds of its creation, of its last use and
 * of its absolute end (0 = none), its idle time to live (0 = none), number of its last change · `u` user · `t` tags ·
 * `v` device · `p` whether its cookie outlives the browser (0 or 1), where that was said of it alone · `d` + name, one
 * for each field of the data · `s` a copy of all but `m`, made anew with each change: a read of two fields takes a
 * third of the time of a read of all. Each value begins with the first letter of its field; one of the data goes on
 * with the length of its name (16 bits), the name, the format (0 = JSON) and the rest. The copy is a MessagePack array
 * of values, in which those that are JSON and have a plain name are together in one: `j` and a JSON object.
 *
 * Members of the ledger: `u:` user, `t:` tag → clock of the last revocation · `n` → -clock of the newest revocation ·
 * `k` → -clock issued last · `x` → -millisecond in which the last session of the slot expires. What was born before a
 * revocation of its user or of one of its tags is dead, even where no index knows of it.
 *
 * What became of a handle: one member, with the clock of that moment as its score. `r` = renewed for the same user, `l`
 * = replaced by a login, and then 32 bytes from which who has the old token finds the new one, and the new handle · `e`
 * = ended.
 *
 * Every key expires with the last session that it is about; only the ledger of a slot that had a session without an end
 * stays. A ledger or an index of another type was put there by somebody else: it is removed and told
 * (`foreign_keys.ts`). The last KEY of each script is the ledger; the indexes of a session's user and tags, the
 * sessions of an index, and what is in the place of a handle, are known from the data only: their names are made with
 * the hash tag of the ledger, so they are in its slot.
 *
 * @module
 */
import { OWN } from "../../redis/foreign_keys.ts";
import { Script } from "../../redis/script.ts";
import { ASK } from "../../redis/script_refusals.ts";

/** Shared by all scripts. ARGV[1] = milliseconds between two writes of the last use, -1 = by the time to live. */
export const BASE: string = `
local HEAD = '>BBdddddd'
local NEVER = math.huge
local ledger = KEYS[#KEYS]
local base = string.sub(ledger, 1, -2)
local function int(n) return n == NEVER and '+inf' or n == -NEVER and '-inf' or string.format('%.0f', n) end
${ASK}${OWN}
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)
local revoked = -(tonumber(own('ZSCORE', ledger, 'n') or 0))
if revoked < 0 then revoked = NEVER end -- no script wrote that: each session is looked up

-- The next value of a clock that never stands still or goes back, to be issued by writing it down. One that is years
-- ahead was issued by nobody.
local AHEAD = 3e14
local function next_clock()
  local issued = -tonumber(redis.call('ZSCORE', ledger, 'k') or 0)
  return issued < us + AHEAD and math.max(us, issued + 1) or us
end
local function tick()
  local clock = next_clock()
  redis.call('ZADD', ledger, int(-clock), 'k')
  return clock
end

local function expire(key, at)
  if at > 8.64e15 then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, int(math.max(at, now))) end
end

-- The ledger outlives all sessions of its slot.
local kept
local function keep_ledger(at)
  kept = kept or -(tonumber(redis.call('ZSCORE', ledger, 'x') or 0))
  if at <= kept then return end
  kept = at
  redis.call('ZADD', ledger, -at, 'x')
  expire(ledger, at)
end

local function ends(s)
  -- Servers expire keys at whole milliseconds.
  return math.floor(math.min(s.idle > 0 and s.seen + s.idle or NEVER, s.last > 0 and s.last or NEVER))
end

local function pack(s) return struct.pack(HEAD, 109, 1, s.born, s.created, s.seen, s.last, s.idle, s.version) end

-- The user and the tags of a session, as they are called in the ledger.
local function groups(key)
  local f = ask('HMGET', key, 'u', 't') -- nothing of a key of another type
  local names = {}
  if f[1] then names[1] = 'u:' .. string.sub(f[1], 2) end
  if f[2] then
    local whole, tags = pcall(cmsgpack.unpack, string.sub(f[2], 2))
    for _, tag in ipairs(whole and type(tags) == 'table' and tags or {}) do
    names[#names + 1] = 't:' .. tostring(tag)
  end
  end
  return names
end

-- The newest revocation of any of these names. None is later than the clock.
local function revocation(names)
  local newest = 0
  if #names == 0 then return newest end
  local latest = next_clock()
  for _, clock in ipairs(redis.call('ZMSCORE', ledger, unpack(names))) do
    clock = tonumber(clock or 0)
    if clock > newest and clock < latest then newest = clock end
  end
  return newest
end

-- The head of a session, or nil when it is not there, past its end or revoked.
local function read(key, m)
  if not m or #m ~= 50 or string.byte(m, 2) ~= 1 then return nil end
  local s, _ = {}
  _, _, s.born, s.created, s.seen, s.last, s.idle, s.version = struct.unpack(HEAD, m)
  if not (ends(s) > now) then return nil end -- nor where that is no number
  if revoked >= s.born and revocation(groups(key)) >= s.born then return nil end
  return s
end
local function find(key)
  local m = ask('HGET', key, 'm')
  return read(key, type(m) == 'string' and m)
end

local function index(names, handle, at)
  for _, name in ipairs(names) do
    local key = base .. name
    if own('ZADD', key, at, handle) == 0 and at ~= NEVER then
      redis.call('PEXPIREAT', key, at, 'GT')
    else
      redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
      expire(key, tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]))
    end
  end
end

-- Takes handles that have no sessions out of an index.
local function tidy(key, handles)
  for i = 1, #handles, 1000 do
    redis.call('ZREM', key, unpack(handles, i, math.min(i + 999, #handles)))
  end
end

-- Takes a session out of an index, which need not outlive those that stay.
local function leave(name, handle)
  local key = base .. name
  local at = own('ZSCORE', key, handle)
  if not at then return end
  redis.call('ZREM', key, handle)
  local last = tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2])
  if last and last < tonumber(at) then expire(key, last) end
end

local function drop(key, handle)
  for _, name in ipairs(groups(key)) do leave(name, handle) end
  redis.call('UNLINK', key)
end

local function handle_of(key) return string.sub(key, #base + 2) end

-- Writes the head with the present as last use. A server that is full or a replica keeps the old one: what was only to
-- be read can
-- be read all the same.
local function used(key, s)
  local before = s.seen
  s.seen = now
  if failed(ask('HSET', key, 'm', pack(s))) then
    s.seen = before
    return false
  end
  local at = ends(s)
  expire(key, at)
  index(groups(key), handle_of(key), at)
  keep_ledger(at)
  return true
end

-- Milliseconds between two writes of the last use of a session with this idle time.
local every = tonumber(ARGV[1])
local function pause(idle)
  if idle == 0 then return every < 0 and 300000 or every end
  if every >= 0 then return every < idle / 2 and every or idle / 2 end
  return idle < 7200000 and idle / 24 or 300000
end
-- What was used later than now was used before the clock was set back.
local function is_due(s) return now - s.seen >= pause(s.idle) or s.seen > now end

-- Rolls the expiry when it is time to. Whether the cookie of the session has to be sent again: it lasts 400 days at
-- most.
local function roll(key, s)
  if not is_due(s) then return false end
  local before = ends(s)
  if not used(key, s) then return false end
  local after = ends(s)
  return after ~= before or after > now + 34560000000
end

-- What a reply tells of a session: its values and one byte of flags (1 = send the cookie again, 2 = not the version
-- wanted).
local FLAGS = { [0] = string.char(0), string.char(1), string.char(2) }
local function tell(key, flags)
  local values = redis.call('HMGET', key, 'm', 's')
  values[3] = FLAGS[flags]
  return values
end
`;

/** A script made of what it needs. */
export function script(...parts: readonly string[]): Script {
  return new Script(BASE + parts.join(""));
}
