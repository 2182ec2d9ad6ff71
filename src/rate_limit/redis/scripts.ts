/**
 * The Lua script of the rate limits: all steps of one write, decided one after the other at one moment of the server's
 * clock.
 *
 * Each limit of each identity is one string, and has a TTL:
 *
 * - `exact`: bytes of an offset (u8), end of the key (u32, s), base (u48, ms), and for each call the milliseconds since
 *   the base, oldest first.
 * - `sliding-window`: 4 × width of a part in µs + bytes of a count - 1 (u48), number of the newest part (u48), total
 *   (u32), the counts, oldest first.
 * - `gcra`: "G", when all is back (52 bits, µs), seconds until the key ends after that (12 bits: 5 of an exponent, 7),
 *   µs of a call (24 bits: 6 of an exponent, 18).
 * - `gcra`, above 50 calls a millisecond: "G", end of the key (u32, s), a moment (u56, µs), parts of calls that were
 *   used then and were not back (u56), parts of a call (u48), parts that come back in a µs (u32).
 * - `fixed-window`: end of the window (u48, ms), count (u32).
 *
 * Beside them, each for as long as what was counted before may count:
 *
 * - The mark of a limit of an identity, made when it is reset, or a penalty displaces what was counted: a number that
 *   nobody else draws (u48), how much refunds have given back, by `gcra` (f64).
 * - The ticket of a refund, so that it is not taken twice: "1" if something was given back, else "0".
 *
 * What is no such string counts for nothing and is replaced. A TTL costs more than half of a write, so keys whose end
 * would move with every call get some time on top (a part of the window) and know their end: most calls leave it as it
 * is. The functions do, step by step, what those of `exact.ts`, `sliding_window.ts`, `gcra.ts` and `fixed_window.ts`
 * do.
 *
 * @module
 */
import { TICKET_KEPT } from "../store.ts";
import { Script } from "../../redis/script.ts";
import { PARTS } from "../algorithms/parts.ts";
import { DEFINITIONS } from "../algorithms/registry.ts";

const NAMES = DEFINITIONS.map(({ name }) => name);
const PREPARED = DEFINITIONS.filter(({ prepares }) => prepares).map(({ name }) => name);
const LUA = DEFINITIONS.map(({ lua }) => lua).join("");

/** Numbers of the actions in {@linkcode STEPS}. */
export const ACTIONS = { check: 0, peek: 1, penalize: 2, refund: 3, reset: 4, reserve: 5 } as const;

/**
 * Takes steps.
 *
 * KEYS: one for each limit of each identity, and marks and tickets, all different.
 *
 * ARGV[1]: number of rules (u8), of transactions (u16); the rules: algorithm (u8), limit or burst (u32), two numbers
 * (u48, u32); the transactions: number of steps (u8), and the steps: index of the key (u16), of the rule (u8), action
 * (u8), cost (u32); then, for what needs a mark (all but check and peek), the index of that key (u16); and for a refund
 * the index of the ticket (u16, 0 = none), whether the limit was changed since (u8), and of the reservation the
 * receipt, the moment (µs), the mark (-1 = any), and what had been given back (f64 each). Checks or looks that are the
 * same but for their keys, which follow each other, are written once, as transactions of one step each: 0 (u8) · how
 * many (u16) · index of the first key (u16) · of the rule (u8) · action (u8) · cost (u32).
 *
 * ARGV[2]: the time in microseconds, for tests with a clock of their own; empty = the server's.
 *
 * ARGV[3]: a number for new marks.
 *
 * Replies with one string: for each step allowed (u8; of a refund, whether something was given back), remaining (u32),
 * resetAfter, retryAfter, moreAfter (u40, ms), receipt (f64), and for a reservation the moment, the mark and what had
 * been given back (f64 each).
 */
export const STEPS: Script = new Script(`
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local pack, unpack_, sub, rep = struct.pack, struct.unpack, string.sub, string.rep
local KEEP, PARTS = -1, ${PARTS}
local CHECK, PEEK, PENALIZE, REFUND, RESET, RESERVE = 0, 1, 2, 3, 4, 5
local INT = { '>I1', '>I2', '>I3', '>I4', '>I5' }

local TICKET_KEPT = ${TICKET_KEPT}
local us, spare = tonumber(ARGV[2]), 600000 -- Redis drops keys by its own clock
if not us then
  spare = 0
  local time = redis.call('TIME')
  us = time[1] * 1000000 + time[2]
end
-- A call is taken to be as late, and a look as early, as the millisecond allows: never a microsecond too short.
local now, upper = floor(us / 1000), ceil(us / 1000)

-- Whether a key that ends at a second is there until it is needed (ms), and not for much longer.
local function lasts(till, needed, spell) return till * 1000 >= needed and till * 1000 <= needed + spell end

-- Each returns: allowed, remaining, resetAfter, retryAfter, moreAfter, receipt, the new state if it changed, its TTL
-- (KEEP where the key has a sufficient one, 0 where there is nothing to keep), and whether a penalty has displaced
-- something, or how much a refund gave.
${LUA}
local RUN = { [0] = ${NAMES.join(", ")} }
local LIFE = { ${NAMES.map((name) => `[${name}] = ${name}_life`).join(", ")} }
local PREPARE = { ${PREPARED.map((name) => `[${name}] = ${name}_prepare`).join(", ")} }

local blob = ARGV[1]
local rule_count, transactions, from = unpack_('>BI2', blob)
local rules = {}
for i = 1, rule_count do
  local algorithm, limit, a, b
  algorithm, limit, a, b, from = unpack_('>BI4I6I4', blob, from)
  rules[i] = { RUN[algorithm], limit, a, b }
  local prepare = PREPARE[RUN[algorithm]]
  if prepare then prepare(rules[i]) end
end

-- What a key holds is looked up once and written once, however often it is asked for.
local stored = redis.call('MGET', unpack(KEYS))
local present, ttls = {}, {}

-- How long what is counted now may count (ms).
local function life(rule) return LIFE[rule[1]](rule) end

local marks, made = {}, 0
local function read_mark(changes, key)
  local mark = changes[key] or marks[key]
  if mark then return mark end
  local state = stored[key]
  if state and #state == 14 then
    local number, given = unpack_('>I6d', state)
    return { number, given, 0 }
  end
  return { 0, 0, 0 }
end
-- What was counted before can no more be taken back.
local function new_mark(changes, key, rule)
  changes[key] = { (ARGV[3] + made) % 281474976710656, 0, life(rule) }
  made = made + 1
end

local function step(states, changes, ask)
  local key, rule, action, cost = ask[1], ask[2], ask[3], ask[4]
  local run = rule[1]
  local state = states[key] or present[key] or stored[key] or ''
  if action == RESET then
    if state ~= '' then new_mark(changes, ask[5], rule) end
    return { true, rule[2], 0, 0, 0, 0, '', 0 }
  end
  if action == RESERVE then
    local mark = read_mark(changes, ask[5])
    local result = { run(state, rule, CHECK, cost, 0, 0, false) }
    result[10], result[11], result[12] = us, mark[1], mark[2]
    return result
  end
  if action == PENALIZE then
    local result = { run(state, rule, action, cost, 0, 0, false) }
    if result[9] then new_mark(changes, ask[5], rule) end
    return result
  end
  if action ~= REFUND then return { run(state, rule, action, cost, 0, 0, false) } end
  local ticket, mark = ask[6], read_mark(changes, ask[5])
  local taken = ticket > 0 and (present[ticket] or stored[ticket])
  if taken or ask[10] >= 0 and ask[10] ~= mark[1] then
    local result = { run(state, rule, PEEK, 1, 0, 0, false) }
    result[1], result[4] = taken == '1', 0
    return result
  end
  local receipt = ask[8]
  if ask[10] >= 0 then receipt = receipt - (mark[2] - ask[11]) end
  local result = { run(state, rule, action, cost, receipt, ask[9], ask[7] > 0) }
  if type(result[9]) == 'number' and result[9] > 0 then
    changes[ask[5]] = { mark[1], mark[2] + result[9], life(rule) }
  end
  if ticket > 0 then
    present[ticket] = result[1] and '1' or '0'
    ttls[ticket] = min(life(rule), TICKET_KEPT)
  end
  return result
end

-- Reads one step of a transaction.
local function read_step(from)
  local key, rule, action, cost, mark, ticket, moved, receipt, at, number, given
  key, rule, action, cost, from = unpack_('>I2BBI4', blob, from)
  if action >= PENALIZE then mark, from = unpack_('>I2', blob, from) end
  if action == REFUND then ticket, moved, receipt, at, number, given, from = unpack_('>I2Bdddd', blob, from) end
  return { key, rules[rule], action, cost, mark, ticket, moved, receipt, at, number, given }, from
end

local function write_result(result)
  local text = pack('>BI4I5I5I5d', result[1] and 1 or 0, max(0, result[2]), result[3], result[4], result[5], result[6])
  if result[10] then text = text .. pack('>ddd', result[10], result[11], result[12]) end
  return text
end

local replies, n = {}, 0
-- The numbers of results are collected, since to write many at once takes half the time.
local numbers, filled = {}, 0
local function flush()
  if filled == 0 then return end
  n = n + 1
  replies[n] = pack('>' .. rep('BI4I5I5I5d', filled / 6), unpack(numbers, 1, filled))
  filled = 0
end

local done = 0
while done < transactions do
  local steps
  steps, from = unpack_('B', blob, from)
  if steps == 0 then
    -- The usual case, without a table for each.
    local count, first, rule, action, cost
    count, first, rule, action, cost, from = unpack_('>I2I2BBI4', blob, from)
    done, rule = done + count, rules[rule]
    local run = rule[1]
    for key = first, first + count - 1 do
      local allowed, remaining, reset, retry, more, token, state, ttl =
        run(present[key] or stored[key] or '', rule, action, cost, 0, 0, false)
      if state then
        present[key] = state
        if ttl ~= KEEP or not ttls[key] then ttls[key] = ttl end
      end
      local at = filled
      numbers[at + 1], numbers[at + 2], numbers[at + 3] = allowed and 1 or 0, remaining > 0 and remaining or 0, reset
      numbers[at + 4], numbers[at + 5], numbers[at + 6] = retry, more, token
      filled = at + 6
      if filled == 768 then flush() end
    end
  elseif steps == 1 then
    local ask
    ask, from = read_step(from)
    local key, result = ask[1], step(present, marks, ask)
    local state, ttl = result[7], result[8]
    if state then
      present[key] = state
      if ttl ~= KEEP or not ttls[key] then ttls[key] = ttl end
    end
    flush()
    n, done = n + 1, done + 1
    replies[n] = write_result(result)
  else
    flush()
    done = done + 1
    -- All or nothing: the states are kept only if nothing was refused.
    local asked, results, tentative, resets, changes, all = {}, {}, {}, {}, {}, true
    for j = 1, steps do
      local ask
      ask, from = read_step(from)
      asked[j] = ask
      local key, result = ask[1], step(tentative, changes, ask)
      if result[7] then
        tentative[key] = result[7]
        if result[8] ~= KEEP then
          resets[key] = result[8]
        elseif not resets[key] then
          resets[key] = ttls[key] or KEEP
        end
      end
      all = all and result[1]
      results[j] = result
    end
    if all then
      for key, state in pairs(tentative) do
        present[key] = state
        ttls[key] = resets[key]
      end
      for key, mark in pairs(changes) do marks[key] = mark end
    end
    for j = 1, steps do
      local result = results[j]
      if not all and result[1] then
        local ask = asked[j]
        local look = { ask[2][1](present[ask[1]] or stored[ask[1]] or '', ask[2], PEEK, ask[4], 0, 0, false) }
        for k = 2, 6 do result[k] = look[k] end
        result[4] = 0
      end
      n = n + 1
      replies[n] = write_result(result)
    end
  end
end

flush()

for key, mark in pairs(marks) do
  if mark[3] > 0 then
    present[key] = pack('>I6d', mark[1], mark[2])
    ttls[key] = mark[3]
  end
end

local last, text -- most TTLs of a batch are the same, and numbers are slow to write
for key, ttl in pairs(ttls) do
  local state, before = present[key], stored[key]
  if ttl == KEEP then
    -- Over what is there, where it is as long, or behind it: that is cheaper still. Redis keeps room behind what has
    -- grown, though.
    if #state == #before then
      redis.call('SETRANGE', KEYS[key], '0', state)
    elseif #state < 48 and #state > #before and sub(state, 1, #before) == before then
      redis.call('APPEND', KEYS[key], sub(state, #before + 1))
    else
      redis.call('SET', KEYS[key], state, 'KEEPTTL')
    end
  elseif ttl > 0 then
    if ttl ~= last then last, text = ttl, string.format('%.0f', ttl + spare) end
    redis.call('PSETEX', KEYS[key], text, state)
  elseif before then
    redis.call('DEL', KEYS[key])
  end
end
return table.concat(replies)
`);
