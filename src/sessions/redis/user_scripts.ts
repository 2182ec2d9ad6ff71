/**
 * The Lua scripts for the sessions of a user or with a tag; `script_base.ts` tells how sessions are kept.
 *
 * @module
 */
import type { Script } from "../../redis/script.ts";
import { script } from "./script_base.ts";
import { DATA, GRACE } from "./script_parts.ts";

/**
 * Tells the sessions of a user, the newest first, without their data. Answers one MessagePack array of arrays: handle,
 * values, flags.
 *
 * KEYS: ledger · ARGV: 1 every · 2 user · 3 most sessions, 0 = all · 4 handle of the one after which it goes on, or ""
 * · 5 the millisecond of its creation for when it is gone, else 0
 */
export const LIST: Script = script(
  `
local answers, key, cursor, most = {}, base .. 'u:' .. ARGV[2], ARGV[4], tonumber(ARGV[3])
local names, made, born, count, gone = {}, {}, {}, 0, {}
local unpack_struct = struct.unpack
-- Of all only when they were begun is looked at. That they are not past their end, the index knows.
for _, handle in ipairs(own('ZRANGE', key, '(' .. int(now), '+inf', 'BYSCORE', 'LIMIT', 0, 100000)) do
  local session = base .. ':' .. handle
  local m = ask('HGET', session, 'm')
  if type(m) == 'string' and #m == 50 then
    local birth, creation = unpack_struct('>dd', m, 3)
    if birth > revoked or find(session) then
      count = count + 1
      names[count], made[count], born[count] = handle, creation, birth
    end
  elseif redis.call('EXISTS', session) == 0 then
    gone[#gone + 1] = handle
    if #gone == 10000 then break end -- nobody has lost so many: those behind are told when these are out of the way
  end
end
tidy(key, gone)
local before, birth = tonumber(ARGV[5]) > 0 and tonumber(ARGV[5]) or NEVER, NEVER
for i = 1, cursor == '' and 0 or count do
  if names[i] == cursor then before, birth = made[i], born[i] break end
end
local times, chosen = {}, {}
for i = 1, count do
  if made[i] < before or made[i] == before and born[i] < birth then
    chosen[#chosen + 1] = i
    times[#times + 1] = -made[i]
  end
end
if most > 0 and #chosen > 4 * most then
  table.sort(times)
  local last, few = -times[most], {}
  for _, i in ipairs(chosen) do
    if made[i] >= last then few[#few + 1] = i end
  end
  chosen = few
end
table.sort(chosen, function(a, b) return made[a] > made[b] or made[a] == made[b] and born[a] > born[b] end)
for at, i in ipairs(chosen) do
  if most > 0 and at > most then break end
  local f = redis.call('HMGET', base .. ':' .. names[i], 'm', 't', 'v')
  answers[#answers + 1] = { names[i], f[1], f[2] or 't', f[3] or 'v', FLAGS[0] }
end
return answer(cmsgpack.pack(answers))`,
);

/**
 * Changes fields of sessions of a user. It counts as no use. Answers how many were changed, then for those that would
 * have too much data `b` with the most bytes and fields that one would have, or "", then the handles of the sessions
 * that are left, which are KEYS of the calls that follow.
 *
 * KEYS: none for the first call, later sessions…, and the ledger · ARGV: 1 every · 2 user · 3 most sessions of a call ·
 * 4 most bytes · 5 "t" and the tags from now on, or "" · 6 how many fields to remove · 7… their names · then fields and
 * values
 */
export const UPDATE_ALL: Script = script(
  DATA,
  GRACE,
  `
local user, most, tags = ARGV[2], tonumber(ARGV[3]), ARGV[5]
local handles, left, count, refused = {}, {}, 0, ''
for i = 1, #KEYS - 1 do handles[i] = handle_of(KEYS[i]) end
if #KEYS == 1 then handles = own('ZRANGE', base .. 'u:' .. user, '(' .. int(now), '+inf', 'BYSCORE') end
for i, handle in ipairs(handles) do
  if i > most then
    left[#left + 1] = handle
  else
    local key = base .. ':' .. handle
    local s = find(key)
    if not s then
      local at, found = follow(handle) -- it was renewed between two calls
      if at then key, s = at, found end
    end
    if s and redis.call('HGET', key, 'u') == 'u' .. user then
      local fits, size = weigh(key, 6, tonumber(ARGV[4]))
      if fits then
        s.version = s.version + 1
        redis.call('HSET', key, 'm', pack(s))
        if tags ~= '' then
          for _, name in ipairs(groups(key)) do leave(name, handle_of(key)) end
          redis.call('HSET', key, 't', tags)
          s.born = tick()
          redis.call('HSET', key, 'm', pack(s))
          index(groups(key), handle_of(key), ends(s))
        end
        change(key, 6)
        count = count + 1
      else
        refused = size
      end
    end
  end
end
return answer(cmsgpack.pack({ int(count), refused, left }))`,
);

/**
 * Revokes all sessions of a user or with a tag that were born before: at once, by the ledger. Then removes up to so
 * many of them. Answers the clock of the revocation, the time in µs, how many were removed, and 1 if there may be more.
 *
 * KEYS: ledger · ARGV: 1 every · 2 "u:" user or "t:" tag · 3 handle of the session to keep, or "" · 4 how many to
 * remove · 5 the clock of the revocation if it was made already, else 0 · 6 ms for which the ledger is kept at least ·
 * 7 most revocations in the ledger
 */
export const REVOKE: Script = script(
  GRACE,
  `
local name, kept, limit, clock, most = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[7])
local key = base .. name
if clock == 0 then
  if kept ~= '' and not find(base .. ':' .. kept) then
    local at = follow(kept) -- it was renewed a moment ago
    if at then kept = handle_of(at) end
  end
  clock = next_clock()
  local spared = kept ~= '' and own('ZSCORE', key, kept) and find(base .. ':' .. kept)
  -- A server that is full can remove sessions all the same, and has no room for new ones.
  local noted = not failed(ask('ZADD', ledger, int(clock), name, int(-clock), 'n', int(-clock), 'k'))
  if noted then keep_ledger(now + tonumber(ARGV[6])) end
  -- The sessions of the oldest revocations have been removed long ago. The lowest ranks are those of "x", "k" and "n".
  if redis.call('ZCARD', ledger) > most then redis.call('ZREMRANGEBYRANK', ledger, 3, 3 + math.floor(most / 4)) end
  if spared and noted then
    spared.born = tick()
    redis.call('HSET', base .. ':' .. kept, 'm', pack(spared))
  end
end
local removed, looked, at, more = 0, 0, 0, 0
while true do
  local handles, gone = own('ZRANGE', key, at, at + 99), {}
  if #handles == 0 then break end
  if looked >= limit then more = 1 break end
  looked = looked + #handles
  for _, handle in ipairs(handles) do
    local session = base .. ':' .. handle
    local m = ask('HGET', session, 'm')
    if type(m) ~= 'string' then
      gone[#gone + 1] = handle
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
  tidy(key, gone)
end
return answer(struct.pack('>dddd', clock, us, removed, more))`,
);
