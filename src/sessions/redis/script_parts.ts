/**
 * Parts of Lua scripts of sessions that only some of them need.
 *
 * @module
 */

/** For scripts that change the data. */
export const DATA: string = `-- Brings the copy of all values up to date.
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

-- Whether the data of a session may be changed: ARGV[at] fields are removed, their names follow, then fields and
-- values. A session that has too much already may keep or shrink it. Tells the bytes and the fields that there would
-- be; 'x' of a session with a value that is none: what is left would be another session.
local function weigh(key, at, most)
  local new, seen, fields, bytes, had, size = {}, {}, 0, 0, 0, 0
  for i = at + 1, at + tonumber(ARGV[at]) do new[ARGV[i]] = '' end
  for i = at + tonumber(ARGV[at]) + 1, #ARGV, 2 do new[ARGV[i]] = ARGV[i + 1] end
  for _, value in ipairs(redis.call('HVALS', key)) do
    local name = string.match(value, '^[mutvps]')
    if string.byte(value) == 100 and #value > 3 then
      name = 'd' .. string.sub(value, 4, 3 + string.byte(value, 2) * 256 + string.byte(value, 3))
      had, size = had + 1, size + #value - 3
      if not new[name] then fields, bytes = fields + 1, bytes + #value - 3 end
    end
    if not name or seen[name] then return false, 'x' end
    seen[name] = true
  end
  for _, value in pairs(new) do
    if value ~= '' then fields, bytes = fields + 1, bytes + #value - 3 end
  end
  local fits = most == 0 or (bytes <= most or bytes <= size) and (fields <= 1000 or fields <= had)
  return fits, 'b' .. struct.pack('>dd', bytes, fields)
end

-- Makes the change that ARGV[at] and those that follow are.
local function change(key, at)
  local removals = tonumber(ARGV[at])
  if removals > 0 then redis.call('HDEL', key, unpack(ARGV, at + 1, at + removals)) end
  if #ARGV > at + removals then redis.call('HSET', key, unpack(ARGV, at + 1 + removals)) end
  copy(key)
end
`;

/** For scripts that know what became of a handle. */
export const GRACE: string = `
local function trace_of(handle) return base .. 'r:' .. handle .. ':sl' end

-- Remembers what became of a handle, for so many milliseconds, and no longer than the session lasts. Where the server
-- is full it is
-- forgotten at once.
local function remember(handle, what, ms, at)
  local key = trace_of(handle)
  redis.call('UNLINK', key)
  ms = math.min(ms, at - now)
  if ms > 0 and not failed(ask('ZADD', key, int(next_clock()), what)) then
      redis.call('PEXPIRE', key, int(ms))
    end
end

-- Remembers what came in the place of the session that was asked for by its handle, or by an earlier one.
local function leave_trace(asked, from, what, ms, at)
  if from ~= asked then remember(handle_of(from), 'e', ms, at) end
  remember(handle_of(asked), what, ms, at)
end

-- The session in the place of a handle, its head, and how its token is found: for each step 32 bytes and a handle. Or
-- nil, and whether
-- the handle is remembered. What was revoked since it was replaced is out of its reach, even where the session was
-- spared. Only a login
-- goes past a login.
local function follow(handle, login)
  local oldest, steps, known = NEVER, {}, false
  for _ = 1, 100 do
    local what = ask('ZRANGE', trace_of(handle), 0, 0, 'WITHSCORES')
    local kind = what[1] and string.sub(what[1], 1, 1)
    known = known or kind ~= nil
    if kind ~= 'r' and not (login and kind == 'l') then break end
    steps[#steps + 1] = string.sub(what[1], 2)
    oldest = math.min(oldest, tonumber(what[2]))
    handle = string.sub(what[1], 34)
    local key = base .. ':' .. handle
    local s = find(key)
    if s then
      if revoked >= oldest and revocation(groups(key)) >= oldest then break end
      return key, s, table.concat(steps)
    end
  end
  return nil, known
end

-- As tell() for the session in the place of KEYS[1], whose handle is told then.
local function tell_at(key, flags)
  local values = tell(key, flags)
  if key ~= KEYS[1] then values[3], values[4] = 'h' .. handle_of(key), values[3] end
  return values
end
`;

/** For scripts that begin a session of a user. */
export const ROOM: string = `
-- Makes room among a user's sessions for one more: the oldest go, or those that were not used for the longest time
-- ('seen'). Where there
-- are far too many, some go each time: among a thousand of those that end first. Returns the handles of those that
-- went.
local function make_room(user, most, by)
  local key = base .. 'u:' .. user
  own('ZREMRANGEBYSCORE', key, '-inf', now)
  local gone, alive = {}, {}
  local over = redis.call('ZCARD', key) - most + 1
  if over <= 0 then return gone end
  for _, handle in ipairs(redis.call('ZRANGE', key, 0, math.max(999, 2 * most))) do
    local s = find(base .. ':' .. handle)
    if s then
      alive[#alive + 1] = { s[by], s.born, handle }
    else
      leave('u:' .. user, handle)
      over = over - 1
    end
  end
  table.sort(alive, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
  for i = 1, math.min(over, #alive, 100) do
    drop(base .. ':' .. alive[i][3], alive[i][3])
    gone[i] = alive[i][3]
  end
  return gone
end
`;
