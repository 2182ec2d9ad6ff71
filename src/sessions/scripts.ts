/**
 * The Lua scripts of sessions. Each is one atomic step and takes the server's time once.
 *
 * All keys of one slot share a hash tag, written `{…}` here:
 *
 * | key | type | what |
 * |---|---|---|
 * | `{…}:s:` handle | hash | a session. The handle is the SHA-256 of its token, which itself never gets here |
 * | `{…}:su:` user | sorted set | the handles of a user's sessions by the millisecond in which they expire |
 * | `{…}:st:` tag | sorted set | the same for a tag |
 * | `{…}:sl` | sorted set | the *ledger*: what was revoked, and the clock |
 *
 * Fields of a session: `m` version of the format, clock of its birth, milliseconds of its creation, of its last use and of its
 * absolute end (0 = none), its idle time to live (0 = none), number of its last change · `u` user · `t` tags · `v` device ·
 * `d` + name, one for each field of the data · `s` a copy of all but `m`, made anew with each change: a read of two fields takes a third
 * of the time of a read of all. Each value begins with the first letter of its field; one of the data goes on with the length of its
 * name (16 bits), the name, the format (0 = JSON) and the rest. The copy is a MessagePack array of values, in which those that are JSON
 * and have a plain name are together in one: `j` and a JSON object.
 *
 * Members of the ledger: `u:` user, `t:` tag → clock of the last revocation · `n` → -clock of the newest revocation · `k` → -clock
 * issued last · `x` → -millisecond in which the last session of the slot expires. What was born before a revocation of its user or
 * of one of its tags is dead, even where no index knows of it.
 *
 * Every key expires with the last session that it is about; only the ledger of a slot that had a session without an end stays. The last KEY of each script is the ledger; the indexes of a session's
 * user and tags, and the sessions of an index, are known from the data only: their names are made with the hash tag of the
 * ledger, so they are in its slot.
 *
 * @module
 */
import { Script } from "../redis/script.ts";

/** Shared by all scripts. ARGV[1] = milliseconds between two writes of the last use, -1 = by the time to live. */
const PRELUDE = `
local HEAD = '>BBdddddd'
local NEVER = math.huge
local ledger = KEYS[#KEYS]
local base = string.sub(ledger, 1, -2)
local function int(n) return n == NEVER and '+inf' or n == -NEVER and '-inf' or string.format('%.0f', n) end

local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)
local revoked = -(tonumber(redis.call('ZSCORE', ledger, 'n') or 0))

local function failed(answer) return type(answer) == 'table' and answer.err ~= nil end

-- The next value of a clock that never stands still or goes back, to be issued by writing it down.
local function next_clock() return math.max(us, 1 - tonumber(redis.call('ZSCORE', ledger, 'k') or 0)) end
local function tick()
  local clock = next_clock()
  redis.call('ZADD', ledger, int(-clock), 'k')
  return clock
end

local function expire(key, at)
  if at == NEVER then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, at) end
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
  return math.min(s.idle > 0 and s.seen + s.idle or NEVER, s.last > 0 and s.last or NEVER)
end

local function pack(s) return struct.pack(HEAD, 109, 1, s.born, s.created, s.seen, s.last, s.idle, s.version) end

-- The user and the tags of a session, as they are called in the ledger.
local function groups(key)
  local f = redis.pcall('HMGET', key, 'u', 't') -- nothing of a key of another type
  local names = {}
  if f[1] then names[1] = 'u:' .. string.sub(f[1], 2) end
  if f[2] then
    local whole, tags = pcall(cmsgpack.unpack, string.sub(f[2], 2))
    for _, tag in ipairs(whole and type(tags) == 'table' and tags or {}) do names[#names + 1] = 't:' .. tostring(tag) end
  end
  return names
end

-- The newest revocation of any of these names.
local function revocation(names)
  local newest = 0
  if #names == 0 then return newest end
  for _, clock in ipairs(redis.call('ZMSCORE', ledger, unpack(names))) do
    if clock then newest = math.max(newest, tonumber(clock)) end
  end
  return newest
end

-- The head of a session, or nil when it is not there, past its end or revoked.
local function read(key, m)
  if not m or #m ~= 50 or string.byte(m, 2) ~= 1 then return nil end
  local s, _ = {}
  _, _, s.born, s.created, s.seen, s.last, s.idle, s.version = struct.unpack(HEAD, m)
  if ends(s) <= now then return nil end
  if revoked >= s.born and revocation(groups(key)) >= s.born then return nil end
  return s
end
local function find(key)
  local m = redis.pcall('HGET', key, 'm')
  return read(key, type(m) == 'string' and m)
end

local function index(names, handle, at)
  for _, name in ipairs(names) do
    local key = base .. name
    if redis.call('ZADD', key, at, handle) == 0 and at ~= NEVER then
      redis.call('PEXPIREAT', key, at, 'GT')
    else
      redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
      expire(key, tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]))
    end
  end
end

-- Takes a session out of an index, which need not outlive those that stay.
local function leave(name, handle)
  local key = base .. name
  local at = redis.call('ZSCORE', key, handle)
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

-- Writes the head with the present as last use. A server that is full or a replica keeps the old one: what was only to be read can
-- be read all the same.
local function used(key, s)
  local before = s.seen
  s.seen = now
  if failed(redis.pcall('HSET', key, 'm', pack(s))) then
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

-- Rolls the expiry when it is time to. Whether the cookie of the session has to be sent again: it lasts 400 days at most.
local function roll(key, s)
  if not is_due(s) then return false end
  local before = ends(s)
  if not used(key, s) then return false end
  local after = ends(s)
  return after ~= before or after > now + 34560000000
end

-- What a reply tells of a session: its values and one byte of flags (1 = send the cookie again, 2 = not the version wanted).
local FLAGS = { [0] = string.char(0), string.char(1), string.char(2) }
local function tell(key, flags)
  local values = redis.call('HMGET', key, 'm', 's')
  values[3] = FLAGS[flags]
  return values
end

-- Brings the copy of all values up to date.
local function copy(key)
  local values, texts = {}, {}
  for _, value in ipairs(redis.call('HVALS', key)) do
    local kind = string.byte(value)
    local size = kind == 100 and string.byte(value, 2) * 256 + string.byte(value, 3)
    local name = size and string.sub(value, 4, 3 + size)
    if name and string.byte(value, 4 + size) == 0 and name ~= '__proto__' and not string.find(name, '[^%w_:. -]') then
      texts[#texts + 1] = '"' .. name .. '":' .. string.sub(value, 5 + size)
    elseif kind ~= 109 and kind ~= 115 then
      values[#values + 1] = value
    end
  end
  if #texts > 0 then values[#values + 1] = 'j{' .. table.concat(texts, ',') .. '}' end
  redis.call('HSET', key, 's', 's' .. cmsgpack.pack(values))
end

-- Makes room among a user's sessions for one more: the oldest go. Returns how many went.
local function make_room(user, most)
  local key = base .. 'u:' .. user
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  local over = redis.call('ZCARD', key) - most + 1
  if over <= 0 then return 0 end
  local alive, gone = {}, 0
  for _, handle in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    local s = find(base .. ':' .. handle)
    if s then alive[#alive + 1] = { s.born, handle } else leave('u:' .. user, handle) end
  end
  table.sort(alive, function(a, b) return a[1] < b[1] end)
  for i = 1, #alive - most + 1 do
    drop(base .. ':' .. alive[i][2], alive[i][2])
    gone = gone + 1
  end
  return gone
end
`;

function script(body: string): Script {
  return new Script(PRELUDE + body);
}

/**
 * Reads sessions, and rolls their expiry where that is due. Answers one MessagePack array with what each KEY has, `false` for what is
 * gone, and the time in µs.
 *
 * KEYS: sessions…, ledger · ARGV: 1 every · 2 how many of the first to read and roll · 3 how many after them to roll only; those that
 * follow are read only.
 */
export const READ: Script = script(`
local answers, reads, touches = {}, tonumber(ARGV[2]), tonumber(ARGV[3])
local ask, byte, struct_unpack, nothing = redis.pcall, string.byte, struct.unpack, FLAGS[0]
for i = 1, #KEYS - 1 do
  local key = KEYS[i]
  if i > reads and i <= reads + touches then
    local s = find(key)
    answers[i] = s and { roll(key, s) and '1' or '0' } or false
  else
    local values = ask('HMGET', key, 'm', 's') -- one key of another type holds up no others
    local m = values[1]
    local born, seen, last, idle, _ = 0
    if m and #m == 50 then _, _, born, _, seen, last, idle = struct_unpack(HEAD, m) end
    -- Most are alive, not revoked and not due: that is settled here, and all else with care.
    if
      born > revoked and byte(m, 2) == 1 and (i > reads or now - seen < pause(idle) and seen <= now) and
      (idle == 0 or seen + idle > now) and (last == 0 or last > now)
    then
      values[3] = nothing
      answers[i] = values
    else
      local s = read(key, m, values)
      if s then
        local touched = i <= reads and roll(key, s)
        if s.seen == now then values[1] = pack(s) end
        values[3] = FLAGS[touched and 1 or 0]
        answers[i] = values
      else
        answers[i] = false
      end
    end
  end
end
answers[#KEYS] = int(us)
return cmsgpack.pack(answers)`);

/**
 * Stores a new session. Answers its birth, the time in µs, the newest revocation of its user and tags, and how many others had to go
 * for it; 0 when its handle is taken.
 *
 * KEYS: session, ledger · ARGV: 1 every · 2 user or "" · 3 tags or "" · 4 device or "" · 5 idle ms · 6 absolute ms · 7 most sessions of
 * the user, 0 = any number · 8… fields and values
 */
export const CREATE: Script = script(`
local key, user = KEYS[1], ARGV[2]
if redis.call('EXISTS', key) == 1 then return 0 end
local s = { born = tick(), created = now, seen = now, idle = tonumber(ARGV[5]), version = 1 }
local absolute, most = tonumber(ARGV[6]), tonumber(ARGV[7])
s.last = absolute > 0 and now + absolute or 0
local gone = user ~= '' and most > 0 and make_room(user, most) or 0
redis.call('HSET', key, 'm', pack(s), unpack(ARGV, 8))
if user ~= '' then redis.call('HSET', key, 'u', 'u' .. user) end
if ARGV[3] ~= '' then redis.call('HSET', key, 't', 't' .. ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', key, 'v', 'v' .. ARGV[4]) end
copy(key)
local at, names = ends(s), groups(key)
expire(key, at)
index(names, handle_of(key), at)
keep_ledger(at)
return struct.pack('>dddd', s.born, us, revocation(names), gone)`);

/**
 * Changes fields. Answers as {@linkcode READ} does for one session; with flag 2 nothing was changed, since the version is another.
 *
 * KEYS: session, ledger · ARGV: 1 every · 2 version wanted, 0 = any · 3 how many fields to remove · 4… their names · then fields and
 * values
 */
export const UPDATE: Script = script(`
local key = KEYS[1]
local s = find(key)
if not s then return cmsgpack.pack({ false }) end
local wanted, removals = tonumber(ARGV[2]), tonumber(ARGV[3])
if wanted > 0 and wanted ~= s.version then return cmsgpack.pack({ tell(key, 2) }) end
s.version = s.version + 1
-- A server that is full refuses this write, the first, and so all of it.
redis.call('HSET', key, 'm', pack(s))
if removals > 0 then redis.call('HDEL', key, unpack(ARGV, 4, 3 + removals)) end
if #ARGV > 3 + removals then redis.call('HSET', key, unpack(ARGV, 4 + removals)) end
copy(key)
return cmsgpack.pack({ tell(key, roll(key, s) and 1 or 0) })`);

/**
 * Removes a session. Answers as {@linkcode READ} does with what it was, or, when that is not wanted, with 1 or 0.
 *
 * KEYS: session, ledger · ARGV: 1 every · 2 "1" = what it was is wanted
 */
export const DESTROY: Script = script(`
local key = KEYS[1]
local s = find(key)
local answer
if ARGV[2] == '1' then
  local values = {}
  for _, value in ipairs(s and redis.call('HVALS', key) or {}) do
    if string.byte(value) ~= 115 then values[#values + 1] = value end
  end
  values[#values + 1] = FLAGS[0]
  answer = cmsgpack.pack({ s and values or false })
else
  answer = s and 1 or 0
end
if redis.call('EXISTS', key) == 1 then drop(key, handle_of(key)) end
return answer`);

/**
 * Gives a session another handle, and another user if one is named, whose session then begins now. Answers as {@linkcode READ} does,
 * with one more element, which says of the session of a new user what {@linkcode CREATE} does.
 *
 * KEYS: old session, new session, ledger · ARGV: 1 every · 2 user or "" for the same · 3 absolute ms of a new user's session · 4 most
 * sessions of the user · 5 how many fields to remove · 6… their names · then fields and values
 */
export const REGENERATE: Script = script(`
local old, key, user = KEYS[1], KEYS[2], ARGV[2]
if redis.call('EXISTS', key) == 1 then return 0 end
local s = find(old)
if not s then return cmsgpack.pack({ false, '' }) end
local gone, newest = 0, 0
s.version = s.version + 1
redis.call('HSET', old, 'm', pack(s)) -- refused where the server is full, before anything has changed
for _, name in ipairs(groups(old)) do leave(name, handle_of(old)) end
if user ~= '' then
  local absolute, most = tonumber(ARGV[3]), tonumber(ARGV[4])
  if most > 0 then gone = make_room(user, most) end
  redis.call('HSET', old, 'u', 'u' .. user)
  s.born, s.created = tick(), now
  s.last = absolute > 0 and now + absolute or 0
  newest = revocation(groups(old))
end
redis.call('RENAME', old, key)
local removals = tonumber(ARGV[5])
if removals > 0 then redis.call('HDEL', key, unpack(ARGV, 6, 5 + removals)) end
if #ARGV > 5 + removals then redis.call('HSET', key, unpack(ARGV, 6 + removals)) end
copy(key)
used(key, s)
return cmsgpack.pack({ tell(key, 1), struct.pack('>dddd', s.born, us, newest, gone) })`);

/**
 * Tells the sessions of a user, without their data. Answers one MessagePack array of arrays: handle, values, flags.
 *
 * KEYS: ledger · ARGV: 1 every · 2 user
 */
export const LIST: Script = script(`
local answers, key = {}, base .. 'u:' .. ARGV[2]
for _, handle in ipairs(redis.call('ZRANGE', key, '(' .. int(now), '+inf', 'BYSCORE')) do
  local session = base .. ':' .. handle
  if find(session) then
    local f = redis.call('HMGET', session, 'm', 't', 'v')
    answers[#answers + 1] = { handle, f[1], f[2] or 't', f[3] or 'v', FLAGS[0] }
  elseif redis.call('EXISTS', session) == 0 then
    leave('u:' .. ARGV[2], handle)
  end
end
return cmsgpack.pack(answers)`);

/**
 * Revokes all sessions of a user or with a tag that were born before: at once, by the ledger. Then removes up to so many of them.
 * Answers the clock of the revocation, the time in µs, how many were removed, and 1 if there may be more.
 *
 * KEYS: ledger · ARGV: 1 every · 2 "u:" user or "t:" tag · 3 handle of the session to keep, or "" · 4 how many to remove · 5 the clock of
 * the revocation if it was made already, else 0 · 6 ms for which the ledger is kept at least · 7 most revocations in the ledger
 */
export const REVOKE: Script = script(`
local name, kept, limit, clock, most = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[7])
local key = base .. name
if clock == 0 then
  clock = next_clock()
  local spared = kept ~= '' and redis.call('ZSCORE', key, kept) and find(base .. ':' .. kept)
  -- A server that is full can remove sessions all the same, and has no room for new ones.
  local noted = not failed(redis.pcall('ZADD', ledger, int(clock), name, int(-clock), 'n', int(-clock), 'k'))
  if noted then keep_ledger(now + tonumber(ARGV[6])) end
  -- The sessions of the oldest revocations have been removed long ago. The lowest ranks are those of "x", "k" and "n".
  if redis.call('ZCARD', ledger) > most then redis.call('ZREMRANGEBYRANK', ledger, 3, 3 + math.floor(most / 4)) end
  if spared and noted then
    spared.born = tick()
    redis.call('HSET', base .. ':' .. kept, 'm', pack(spared))
  end
end
local removed, at, more = 0, 0, 0
while true do
  local handles = redis.call('ZRANGE', key, at, at + 99)
  if #handles == 0 then break end
  if removed >= limit then more = 1 break end
  for _, handle in ipairs(handles) do
    local session = base .. ':' .. handle
    local m = redis.pcall('HGET', session, 'm')
    if type(m) ~= 'string' then
      leave(name, handle)
    else
      local born = #m == 50 and select(3, struct.unpack('>BBd', m)) or 0
      if handle == kept or born > clock then
        at = at + 1
      else
        drop(session, handle)
        leave(name, handle)
        removed = removed + 1
      end
    end
  end
end
return struct.pack('>dddd', clock, us, removed, more)`);
