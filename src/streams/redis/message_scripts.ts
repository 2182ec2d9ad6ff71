/**
 * The Lua scripts for the messages of a stream; those for its groups are in `group_scripts.ts`.
 *
 * | key | what |
 * |---|---|
 * | `x:` name | stream: the messages: `v` what was written, `n` a number that grows by one, `k` key, `g` group |
 * | `xn:` name | the number of the last message |
 * | `xw:` name | is there while somebody waits for a message |
 * | `xd:` name | stream: what was given up, and `i` its id, `g` its group, `a` attempts, `e` the error, `t` when (ms) |
 * | `xi:` name, id | the id of the message that was added under this name |
 * | `xg:` name, group | hash: place → until when (ms) and whose it is; `>` → the number of the last message read |
 * | `xk:` name, group | hash: key → id of its last message that was read and is perhaps pending |
 *
 * A place is a consumer of the group in the server's sense, and outlives the process that holds it: who takes it over
 * goes on with what is pending there, from its first message on. A message whose key has others pending joins them in
 * their place. So all messages of a key are with one process at a time, in their order.
 *
 * @module
 */
import { Script } from "../../redis/script.ts";
import { ASK } from "../../redis/script_refusals.ts";
import { FIELD, WAITS, WAKE } from "./prelude.ts";

/**
 * Adds a message.
 *
 * KEYS[1]: the stream. KEYS[2]: the number. KEYS[3]: who waits. KEYS[4], if it is added once: under which name.
 *
 * ARGV: most messages, or empty · channel · for how long the name is remembered (ms) · fields and their values.
 *
 * Replies with its id, and whether it was added.
 */
export const ADD: Script = new Script(`
${WAKE}
if KEYS[4] then
  local before = redis.call('MGET', KEYS[4])[1]
  if before then return { before, 0 } end
end
local add = { KEYS[1] }
if ARGV[1] ~= '' then
  add[2], add[3], add[4] = 'MAXLEN', '~', ARGV[1]
end
add[#add + 1] = '*'
for i = 4, #ARGV do add[#add + 1] = ARGV[i] end
add[#add + 1] = 'n'
add[#add + 1] = redis.call('INCR', KEYS[2])
local id = redis.call('XADD', unpack(add))
if KEYS[4] then redis.call('PSETEX', KEYS[4], ARGV[3], id) end
wake(KEYS[3], ARGV[2], '+')
return { id, 1 }
`);

/**
 * Reads messages.
 *
 * KEYS[1]: the stream. KEYS[2]: who waits. ARGV: from · to · how many.
 */
export const READ: Script = new Script(`
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
if #entries < tonumber(ARGV[3]) then redis.call('PSETEX', KEYS[2], ${WAITS}, '1') end
return entries
`);

/**
 * Tells of a stream.
 *
 * KEYS[1]: it. KEYS[2]: what was given up.
 *
 * Replies with how many messages there are and were given up, the ids of the first and the last, and of each group its
 * name, how many are pending, how many wait, and the id of the last that was handed out.
 */
export const INFO: Script = new Script(`${ASK}
local length, dead = redis.call('XLEN', KEYS[1]), redis.call('XLEN', KEYS[2])
local groups = ask('XINFO', 'GROUPS', KEYS[1])
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local out = { length, dead, first and first[1] or false, last and last[1] or false }
if groups.err then return out end
for _, group in ipairs(groups) do
  local got = {}
  for i = 1, #group, 2 do got[group[i]] = group[i + 1] end
  out[#out + 1] = { got['name'], got['pending'], got['lag'] or false, got['last-delivered-id'] }
end
return out
`);

/**
 * Removes messages that all groups are done with.
 *
 * KEYS[1]: the stream. Replies with how many.
 */
export const TRIM_HANDLED: Script = new Script(`${ASK}
local groups = ask('XINFO', 'GROUPS', KEYS[1])
if groups.err or #groups == 0 then return 0 end
local function before(a, b)
  local am, as = string.match(a, '^(%d+)-(%d+)$')
  local bm, bs = string.match(b, '^(%d+)-(%d+)$')
  am, as, bm, bs = tonumber(am), tonumber(as), tonumber(bm), tonumber(bs)
  return am < bm or (am == bm and as < bs)
end
local least, pending
for _, group in ipairs(groups) do
  local got = {}
  for i = 1, #group, 2 do got[group[i]] = group[i + 1] end
  local summary = redis.call('XPENDING', KEYS[1], got['name'])
  local first = summary[1] > 0 and summary[2] or false
  local upto = first or got['last-delivered-id']
  if not least or before(upto, least) or (upto == least and first) then least, pending = upto, first end
end
local removed = redis.call('XTRIM', KEYS[1], 'MINID', least)
-- The last that was handed out is done with, if it is not pending.
if not pending then removed = removed + redis.call('XDEL', KEYS[1], least) end
return removed
`);

/**
 * Adds again what was given up, for its group.
 *
 * KEYS[1]: the stream. KEYS[2]: the number. KEYS[3]: who waits. KEYS[4]: what was given up. ARGV: its id · channel.
 *
 * Replies with its new id, if it was there.
 */
export const REVIVE: Script = new Script(`
${WAKE}${FIELD}
local found = redis.call('XRANGE', KEYS[4], ARGV[1], ARGV[1])[1]
if not found then return false end
local add = { KEYS[1], '*' }
for _, name in ipairs({ 'v', 'k', 'g' }) do
  local value = field(found[2], name)
  if value then
    add[#add + 1] = name
    add[#add + 1] = value
  end
end
add[#add + 1] = 'n'
add[#add + 1] = redis.call('INCR', KEYS[2])
local id = redis.call('XADD', unpack(add))
redis.call('XDEL', KEYS[4], ARGV[1])
wake(KEYS[3], ARGV[2], '+')
return id
`);
