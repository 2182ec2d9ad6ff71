/**
 * The Lua scripts for one session; `script_base.ts` tells how sessions are kept.
 *
 * @module
 */
import type { Script } from "../../redis/script.ts";
import { script } from "./script_base.ts";
import { DATA, GRACE, ROOM } from "./script_parts.ts";

/**
 * Reads sessions, and rolls their expiry where that is due. Answers one MessagePack array with what each KEY has,
 * `false` for what is gone, and the time in µs. For requests what is in the place of a handle counts too, told with `h`
 * and its handle; there `{ "e" }` stands for a handle that is remembered and has nothing in its place, `{ "x" }` for a
 * record that cannot be read.
 *
 * KEYS: sessions…, ledger · ARGV: 1 every · 2 how many of the first to roll only · 3 how many after them to read and
 * roll; those that follow are read only · 4 and 5 how many of all come before those for requests, and before those
 * after them
 */
export const READ: Script = script(
  GRACE,
  `
local answers, touches, reads = {}, tonumber(ARGV[2]), tonumber(ARGV[2]) + tonumber(ARGV[3])
local first, last_one = tonumber(ARGV[4]), tonumber(ARGV[5])
local try, byte, struct_unpack, nothing = redis.pcall, string.byte, struct.unpack, FLAGS[0]
for i = 1, #KEYS - 1 do
  local key = KEYS[i]
  if i <= touches then
    local s = find(key)
    answers[i] = s and { roll(key, s) and '1' or '0' } or false
  else
    local values = try('HMGET', key, 'm', 's') -- one key of another type holds up no others
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
      refuse(values, 'HMGET', key, 'm', 's')
      local s, at, known = read(key, m), key, false
      local asked = not s and i > first and i <= last_one
      if asked then
        at, known = follow(handle_of(key))
        if at then
          s = known
          values = redis.call('HMGET', at, 'm', 's')
        end
      end
      if s then
        local touched = i <= reads and roll(at, s)
        if s.seen == now then values[1] = pack(s) end
        if at ~= key then values[3] = 'h' .. handle_of(at) end
        values[#values + 1] = FLAGS[touched and 1 or 0]
        answers[i] = values
      elseif asked and known then
        answers[i] = { 'e' }
      elseif values.err or values[2] and not m or m and (#m ~= 50 or byte(m, 2) ~= 1 or seen ~= seen) then
        answers[i] = { 'x' }
      else
        answers[i] = false
      end
    end
  end
end
answers[#KEYS] = int(us)
return answer(cmsgpack.pack(answers))`,
);

/**
 * Stores a new session, in the place of another, or of what is in its place, if there is one. Of a login a handle that
 * is not known is remembered too: who still comes with it begins nothing. Answers its birth, the time in µs, the newest
 * revocation of its user and tags, how many others had to go for it, and their handles; 0 when its handle is taken.
 *
 * KEYS: session, the one that it replaces if there is one, ledger · ARGV: 1 every · 2 user or "" · 3 tags or "" · 4
 * device or "" · 5 idle ms · 6 absolute ms · 7 most sessions of the user, 0 = any number · 8 "created" or "seen", by
 * which of them go · 9 whether the cookie outlives the browser: "0", "1" or "" · 10 ms for which the one that is
 * replaced is remembered · 11 how its holder finds the new token · 12… fields and values
 */
export const CREATE: Script = script(
  DATA,
  GRACE,
  ROOM,
  `
local key, user = KEYS[1], ARGV[2]
if redis.call('EXISTS', key) == 1 then return 0 end
local s = { born = tick(), created = now, seen = now, idle = tonumber(ARGV[5]), version = 1 }
local absolute, most = tonumber(ARGV[6]), tonumber(ARGV[7])
s.last = absolute > 0 and now + absolute or 0
local old = #KEYS == 3 and KEYS[2]
local from, known = old and find(old) and old, false
if old and not from then from, known = follow(handle_of(old)) end
if from or old and user ~= '' and not known then
  local same = from and user ~= '' and redis.call('HGET', from, 'u') == 'u' .. user
  if from then drop(from, handle_of(from)) end
  leave_trace(old, from or old, (same and 'r' or 'l') .. ARGV[11] .. handle_of(key), tonumber(ARGV[10]), ends(s))
end
local gone = user ~= '' and most > 0 and make_room(user, most, ARGV[8]) or {}
redis.call('HSET', key, 'm', pack(s), unpack(ARGV, 12))
if user ~= '' then redis.call('HSET', key, 'u', 'u' .. user) end
if ARGV[3] ~= '' then redis.call('HSET', key, 't', 't' .. ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', key, 'v', 'v' .. ARGV[4]) end
if ARGV[9] ~= '' then redis.call('HSET', key, 'p', 'p' .. ARGV[9]) end
copy(key)
local at, names = ends(s), groups(key)
expire(key, at)
index(names, handle_of(key), at)
keep_ledger(at)
return answer(struct.pack('>dddd', s.born, us, revocation(names), #gone) .. table.concat(gone, ','))`,
);

/**
 * Changes fields. Answers as {@linkcode READ} does for one session; with flag 2 nothing was changed, since the version
 * is another. In place of an array, `b` with the bytes and the fields that there would be stands for too many of them.
 *
 * KEYS: session, ledger · ARGV: 1 every · 2 version wanted, 0 = any · 3 "1" = also what is in its place · 4 most bytes,
 * 0 = any number · 5 "t" and the tags from now on, or "" · 6 "1" = answers how it was before, and without the first
 * field to remove changes nothing · 7 how many fields to remove · 8… their names · then fields and values
 */
export const UPDATE: Script = script(
  DATA,
  GRACE,
  `
local key = KEYS[1]
local s = find(key)
if not s and ARGV[3] == '1' then
  local at, found = follow(handle_of(key))
  if at then key, s = at, found end
end
if not s then return answer(cmsgpack.pack({ false })) end
local wanted, tags = tonumber(ARGV[2]), ARGV[5]
if wanted > 0 and wanted ~= s.version then return answer(cmsgpack.pack({ tell_at(key, 2) })) end
if ARGV[6] == '1' and not redis.call('HGET', key, ARGV[8]) then
  local touched = roll(key, s)
  return answer(cmsgpack.pack({ tell_at(key, touched and 1 or 0) }))
end
local fits, size = weigh(key, 7, tonumber(ARGV[4]))
if not fits then return answer(cmsgpack.pack({ size })) end
local before = ARGV[6] == '1' and redis.call('HGET', key, 's')
s.version = s.version + 1
-- A server that is full refuses this write, the first, and so all of it.
redis.call('HSET', key, 'm', pack(s))
if tags ~= '' then
  for _, name in ipairs(groups(key)) do leave(name, handle_of(key)) end
  redis.call('HSET', key, 't', tags)
  -- What was revoked with a tag before this is not this session.
  s.born = tick()
  redis.call('HSET', key, 'm', pack(s))
  index(groups(key), handle_of(key), ends(s))
end
change(key, 7)
local told = tell_at(key, roll(key, s) and 1 or 0)
if before then told[2] = before end
return answer(cmsgpack.pack({ told }))`,
);

/**
 * Removes a session, or what is in its place. Answers as {@linkcode READ} does with what it was, or, when that is not
 * wanted, with 1, 0, or 2 where it is remembered that it is gone.
 *
 * KEYS: session, ledger · ARGV: 1 every · 2 "1" = what it was is wanted · 3 "u" and the user that it has to have, "u"
 * alone for a visitor, "" for anybody · 4 ms for which it is remembered · 5 "1" = also what is in its place
 */
export const DESTROY: Script = script(
  GRACE,
  `
local key = KEYS[1]
local s, known = find(key), false
if not s and ARGV[5] == '1' then
  local at, found = follow(handle_of(key))
  if at then key, s = at, found else known = found end
end
if ARGV[3] ~= '' and (ask('HGET', key, 'u') or 'u') ~= ARGV[3] then return 0 end
local told
if ARGV[2] == '1' then
  local values = {}
  for _, value in ipairs(s and redis.call('HVALS', key) or {}) do
    if string.byte(value) ~= 115 then values[#values + 1] = value end
  end
  values[#values + 1] = FLAGS[0]
  told = cmsgpack.pack({ s and values or false })
else
  told = s and 1 or known and 2 or 0
end
if redis.call('EXISTS', key) == 1 then drop(key, handle_of(key)) end
if s and tonumber(ARGV[4]) > 0 then remember(handle_of(key), 'e', tonumber(ARGV[4]), ends(s)) end
return answer(told)`,
);

/**
 * Gives a session another handle, and another user if one is named, whose session then begins now. What was renewed for
 * the same user a moment ago is changed and stays what it is; somebody else's login goes on from it. Answers as
 * {@linkcode UPDATE} does, with what {@linkcode CREATE} says of the session of a new user, the handles of those that
 * had to go, and where it was renewed before the steps from the old token to that of the session.
 *
 * KEYS: old session, new session, ledger · ARGV: 1 every · 2 user or "" for the same · 3 absolute ms from now, or "" as
 * it was · 4 most sessions of the user · 5 "created" or "seen" · 6 idle ms, or "" · 7 "t" and the tags, or "" · 8
 * device, or "" · 9 "0", "1" or "" as in CREATE · 10 ms for which the old handle is remembered · 11 how its holder
 * finds the new token · 12 "1" = also what is in its place · 13 most bytes · 14 how many fields to remove · 15… their
 * names · then fields and values
 */
export const REGENERATE: Script = script(
  DATA,
  GRACE,
  ROOM,
  `
local asked, key, user = KEYS[1], KEYS[2], ARGV[2]
if redis.call('EXISTS', key) == 1 then return 0 end
local function is_user(at) return user == '' or redis.call('HGET', at, 'u') == 'u' .. user end
local old, s = asked, find(asked)
local at, found, steps
if not s and ARGV[12] == '1' then
  at, found, steps = follow(handle_of(asked), user ~= '')
  if at and not is_user(at) then
    -- Past a login of somebody else there is nothing for this one.
    old, s = follow(handle_of(asked))
    at = nil
  end
end
if not at and not (old and s) then return answer(cmsgpack.pack({ false })) end
if at then
  s = found
  local fits, size = weigh(at, 14, tonumber(ARGV[13]))
  if not fits then return answer(cmsgpack.pack({ size })) end
  if #ARGV > 14 then
    s.version = s.version + 1
    redis.call('HSET', at, 'm', pack(s))
    change(at, 14)
  end
  roll(at, s)
  return answer(cmsgpack.pack({ tell_at(at, 1), struct.pack('>dddd', s.born, us, 0, 0), '', steps }))
end
local fits, size = weigh(old, 14, tonumber(ARGV[13]))
if not fits then return answer(cmsgpack.pack({ size })) end
local gone, newest, same = {}, 0, is_user(old)
s.version = s.version + 1
redis.call('HSET', old, 'm', pack(s)) -- refused where the server is full, before anything has changed
for _, name in ipairs(groups(old)) do leave(name, handle_of(old)) end
if user ~= '' then
  local most = tonumber(ARGV[4])
  if most > 0 then gone = make_room(user, most, ARGV[5]) end
  redis.call('HSET', old, 'u', 'u' .. user)
  s.created = now
end
if user ~= '' or ARGV[7] ~= '' then s.born = tick() end
if ARGV[3] ~= '' then s.last = tonumber(ARGV[3]) > 0 and now + tonumber(ARGV[3]) or 0 end
if ARGV[6] ~= '' then s.idle = tonumber(ARGV[6]) end
if ARGV[7] ~= '' then redis.call('HSET', old, 't', ARGV[7]) end
if ARGV[8] ~= '' then redis.call('HSET', old, 'v', 'v' .. ARGV[8]) end
if ARGV[9] ~= '' then redis.call('HSET', old, 'p', 'p' .. ARGV[9]) end
if user ~= '' then newest = revocation(groups(old)) end
redis.call('RENAME', old, key)
change(key, 14)
used(key, s)
leave_trace(asked, old, (same and 'r' or 'l') .. ARGV[11] .. handle_of(key), tonumber(ARGV[10]), ends(s))
local placed = struct.pack('>dddd', s.born, us, newest, #gone)
return answer(cmsgpack.pack({ tell(key, 1), placed, table.concat(gone, ',') }))`,
);
