/**
 * What the Lua scripts of the cache share. Each script is one atomic step of the protocol and takes the server's time
 * once.
 *
 * The *ledger* is one sorted set per slot. Its members:
 *
 * | member | score | what |
 * |---|---|---|
 * | `h:` tag, `s:` tag | clock | newest hard and stale invalidation of the tag |
 * | `p:` glob | -(2^52 + clock) | invalidation by pattern whose entries are being removed |
 * | `e` | -epoch | random when the ledger is born |
 * | `r` | -run | which run of the server this ledger has lived in |
 * | `k` | -clock | the last clock value issued |
 * | `i` | -clock | the newest invalidation of any kind |
 * | `f` | -clock | floor: records up to it were pruned, so nothing as old is valid |
 * | `l` | -milliseconds | the longest lifetime of any entry written |
 * | `q` | -clock | the last change that could not be published |
 *
 * What changes is also published on the *change channel*, whose channels and messages `change_message.ts` tells. It
 * wakes who waits for a loader and has local copies looked at; nothing is lost with it but time, and nothing that it
 * says is believed.
 *
 * All of the ledger vanishes together or not at all. A ledger that is gone, that comes from before a restart of the
 * server (which may have lost the newest records), that is older than what a process has read, or that is not as these
 * scripts write it, is born again with another epoch: whatever was cached before is a miss.
 *
 * @module
 */

import { ASK } from "../../redis/script_refusals.ts";
import { LONGEST_LEASE } from "../entry.ts";

/** Opens the ledger and reads entries; shared by the scripts. Names its KEYS and ARGV where it is used. */
export const PRELUDE: string = `${ASK}
local BARRIER, FOREVER, NEVER = 4503599627370496, 4000000000000000, 9000000000000000
-- Nobody's lease lasts longer: one that says so was written by somebody else.
local LONGEST_LEASE = ${LONGEST_LEASE}
local ledger = KEYS[#KEYS]
local function int(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)
local epoch, last, newest, floor, longest

local MARKS = { k = '\\0\\1', e = '\\1' }
-- Tells the processes of this namespace what changed. Where nobody listens it costs next to nothing; a user who may not
-- leaves a mark, which they look for from time to time.
local function ring(kind, what)
  local channel = string.match(ledger, '^{([%w._-]+)') .. ':bell'
  local db = string.match(ARGV[1], '@(%d+)$')
  if kind == 'e' or kind == 'k' then what = (what or '') .. (db and MARKS[kind] or '') end
  local told = redis.pcall('PUBLISH', (db or '0') == '0' and channel or channel .. ':' .. db, kind .. what)
  if type(told) == 'table' and told.err then redis.pcall('ZADD', ledger, int(-us), 'q') end
  -- Who knows no channels of databases looks again; who does knows that it is not for him.
  if db and db ~= '0' then redis.pcall('PUBLISH', channel, 'e\\2') end
end
local function ring_keys(keys)
  local names = {}
  for i = 1, #keys do names[i] = string.sub(keys[i], #ledger - 3) end
  if #names > 0 then ring('k', table.concat(names, '\\0')) end
end

-- The ledger lives an hour longer than any entry, counted from the last write: one that nobody uses goes by itself.
local function outlive()
  if longest < FOREVER then redis.call('PEXPIRE', ledger, int(longest + 3600000))
  else redis.call('PERSIST', ledger) end
end

local function born(run)
  -- On a cluster whose slot is moving, a key that is gone can not be written again here: small ledgers are emptied.
  local old = ask('ZCARD', ledger)
  old = type(old) == 'number' and old <= 1000 and redis.call('ZRANGE', ledger, 0, -1) or nil
  -- Either is a write that a full server does: it lets a script go on that has written.
  redis.call(old and 'PERSIST' or 'UNLINK', ledger)
  epoch = (tonumber((string.match(ARGV[1], '^%d+'))) + us) % 281474976710656 + 1
  newest, floor, longest = 0, 0, 0
  last = math.max(us, last + 1)
  redis.call('ZADD', ledger, int(-epoch), 'e', int(-run), 'r', int(-last), 'k')
  if old and #old > 0 then
    local others = {}
    for i = 1, #old do
      if old[i] ~= 'e' and old[i] ~= 'r' and old[i] ~= 'k' then others[#others + 1] = old[i] end
    end
    if #others > 0 then redis.call('ZREM', ledger, unpack(others)) end
  end
  outlive()
  ring('e')
end

-- The server's run, as a number; 0 where the user may not ask.
local function server_run()
  local info = redis.pcall('INFO', 'server')
  local id = type(info) == 'string' and string.match(info, 'run_id:(%x+)')
  return id and tonumber(string.sub(id, 1, 12), 16) or 0
end

-- Somebody else has written to the ledger: what it should say is not known.
local function reborn()
  last = 0
  born(server_run())
end

do
  local m = ask('ZMSCORE', ledger, 'e', 'r', 'k', 'i', 'f', 'l') -- an error where there is something else
  epoch, last, newest, floor, longest =
    -(m[1] or 0), -(m[3] or 0), -(m[4] or 0), -(m[5] or 0), -(m[6] or 0)
  if epoch < 1 or epoch > 281474976710656 or last >= BARRIER or newest < 0 or newest > last or floor < 0 or floor > last
    or longest < 0 then
    reborn()
  elseif ARGV[2] == '1' then
    local run = server_run()
    if run ~= 0 and run ~= -m[2] then born(run) end
  end
end

local function look_up(tags, count)
  local names, at = {}, 1
  for i = 1, count do
    local tag
    tag, at = struct.unpack('>I2c0', tags, at)
    names[i], names[count + i] = 'h:' .. tag, 's:' .. tag
  end
  local scores = redis.call('ZMSCORE', ledger, unpack(names))
  local hard, stale = 0, 0
  for i = 1, 2 * count do
    local score = tonumber(scores[i])
    if score and (score <= 0 or score > last) then
      reborn()
      return math.huge, 0
    elseif score and i <= count then
      hard = math.max(hard, score)
    elseif score then
      stale = math.max(stale, score)
    end
  end
  return hard, stale
end

-- Clock values of the newest hard and stale invalidation of the tags in a string of (u16 length, tag); infinite where
-- the
-- string is damaged.
local function tags_invalidated(tags, count)
  if count == 0 then return 0, 0 end
  local ok, hard, stale = pcall(look_up, tags, count)
  if not ok then return math.huge, 0 end
  return hard, stale
end

-- An entry's fixed part; nil where there is no readable entry, or something else altogether.
local function header(s)
  if not s or #s < 68 or string.byte(s) ~= 1 then return nil end
  local h, _ = {}, nil
  _, h.flags, h.tag_count, _, h.epoch, h.as_of, h.fresh, h.stale, h.error, h.token, h.lease, h.tags_length =
    struct.unpack('>BBI2I4dddddddI4', s)
  h.placeholder = h.flags >= 128
  return h
end

-- The fixed part of the entry at a key, if the entry is there to be served, and whether its tags call for another.
local function live(key)
  local h = header(ask('GETRANGE', key, 0, 67))
  if not h or h.placeholder or h.epoch ~= epoch or h.as_of <= floor or h.error <= now or
    h.as_of > math.max(us, last) then
    return nil
  end
  if h.tag_count == 0 or h.as_of > newest then return h, false end
  local hard, stale = tags_invalidated(redis.call('GETRANGE', key, 68, 67 + h.tags_length), h.tag_count)
  if hard >= h.as_of then return nil end
  return h, stale >= h.as_of
end

-- Notes how long an entry may live, counted from its place in the order, since that is what invalidations are compared
-- with.
local function keep_longest(ms, as_of)
  ms = ms < 0 and FOREVER or ms + math.max(0, now - math.floor(as_of / 1000))
  if ms > longest then
    redis.call('ZADD', ledger, int(-ms), 'l')
    longest = ms
  end
end
`;
