/**
 * The Lua script of the rate limits: all steps of one write, decided one after the other at one moment of the server's clock.
 *
 * Each limit of each identity is one string, and has a TTL:
 *
 * | algorithm | string |
 * |---|---|
 * | `exact` | bytes of an offset (u8) · end of the key (u32, s) · base (u48, ms) · for each call the milliseconds since the base, oldest first |
 * | `sliding-window` | 4 × width of a part in µs + bytes of a count - 1 (u48) · number of the newest part (u48) · total (u32) · the counts, oldest first |
 * | `gcra` | "g" · end of the key (u32, s) · theoretical arrival time (u56, µs) |
 * | `fixed-window` | end of the window (u48, ms) · count (u32) |
 *
 * What is no such string counts for nothing and is replaced. A TTL costs more than half of a write, so keys whose end would move with
 * every call get some time on top (a part of the window) and know their end: most calls leave it as it is. The functions do, step by step, what those of `exact.ts`,
 * `sliding_window.ts`, `gcra.ts` and `fixed_window.ts` do.
 *
 * @module
 */
import { Script } from "../redis/script.ts";
import { EXACT } from "./exact_script.ts";
import { FIXED } from "./fixed_window_script.ts";
import { GCRA } from "./gcra_script.ts";
import { PARTS } from "./sliding_window.ts";
import { SLIDING } from "./sliding_window_script.ts";

/** Numbers of the algorithms in {@linkcode STEPS}. */
export const ALGORITHMS = { "exact": 0, "sliding-window": 1, "gcra": 2, "token-bucket": 2, "fixed-window": 3 } as const;
/** Numbers of the actions in {@linkcode STEPS}. */
export const ACTIONS = { check: 0, peek: 1, penalize: 2, refund: 3, reset: 4 } as const;

/**
 * Takes steps.
 *
 * KEYS: one for each limit of each identity, all different.
 *
 * ARGV[1]: number of rules (u8), of transactions (u16); the rules: algorithm (u8), limit (u32), two numbers (u48, u32); the
 * transactions: number of steps (u8), and the steps: index of the key (u16), of the rule (u8), action (u8), cost (u32), and the
 * receipt (f64) when it is a refund.
 *
 * ARGV[2]: the time in microseconds, for tests with a clock of their own; empty = the server's.
 *
 * Replies with one string: for each step allowed (u8), remaining (u32), resetAfter, retryAfter, moreAfter (u40, ms), receipt (f64).
 */
export const STEPS: Script = new Script(`
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local pack, unpack_, sub, rep = struct.pack, struct.unpack, string.sub, string.rep
local KEEP, PARTS = -1, ${PARTS}
local CHECK, PEEK, PENALIZE, REFUND, RESET = 0, 1, 2, 3, 4
local INT = { '>I1', '>I2', '>I3', '>I4', '>I5' }

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

-- Each returns: allowed, remaining, resetAfter, retryAfter, moreAfter, receipt, the new state if it changed, and its TTL: KEEP where
-- the key has a sufficient one, 0 where there is nothing to keep.
${EXACT}${SLIDING}${GCRA}${FIXED}
local RUN = { [0] = exact, sliding, gcra, fixed }

local blob = ARGV[1]
local rule_count, transactions, from = unpack_('>BI2', blob)
local rules = {}
for i = 1, rule_count do
  local algorithm, limit, a, b
  algorithm, limit, a, b, from = unpack_('>BI4I6I4', blob, from)
  rules[i] = { RUN[algorithm], limit, a, b }
end

-- What a key holds is looked up once and written once, however often it is asked for.
local stored = redis.call('MGET', unpack(KEYS))
local present, ttls = {}, {}

local function step(states, key, rule, action, cost, receipt)
  local state = states[key] or present[key] or stored[key] or ''
  if action == RESET then
    return true, rule[1] == gcra and rule[4] or rule[2], 0, 0, 0, 0, '', 0
  end
  return rule[1](state, rule, action, cost, receipt)
end

local replies, n = {}, 0
for i = 1, transactions do
  local steps, key, rule, action, cost, receipt
  steps, key, rule, action, cost, from = unpack_('>BI2BBI4', blob, from)
  if steps == 1 then
    if action == REFUND then receipt, from = unpack_('>d', blob, from) end
    local allowed, remaining, reset, retry, more, token, state, ttl =
      step(present, key, rules[rule], action, cost, receipt)
    if state then
      present[key] = state
      if ttl ~= KEEP or not ttls[key] then ttls[key] = ttl end
    end
    n = n + 1
    replies[n] = pack('>BI4I5I5I5d', allowed and 1 or 0, max(0, remaining), reset, retry, more, token)
  else
    -- All or nothing: the states are kept only if nothing was refused.
    local asked, results, tentative, resets, all = {}, {}, {}, {}, true
    for j = 1, steps do
      if j > 1 then key, rule, action, cost, from = unpack_('>I2BBI4', blob, from) end
      if action == REFUND then receipt, from = unpack_('>d', blob, from) end
      asked[j] = { key, rules[rule], action, cost, receipt }
      local result = { step(tentative, key, rules[rule], action, cost, receipt) }
      if result[7] then
        tentative[key] = result[7]
        if result[8] ~= KEEP then resets[key] = result[8] elseif not resets[key] then resets[key] = ttls[key] or KEEP end
      end
      all = all and result[1]
      results[j] = result
    end
    if all then
      for key, state in pairs(tentative) do
        present[key] = state
        ttls[key] = resets[key]
      end
    end
    for j = 1, steps do
      local result = results[j]
      if not all and result[1] then
        local ask = asked[j]
        local look = { step(present, ask[1], ask[2], 1, ask[4], 0) }
        for k = 2, 6 do result[k] = look[k] end
        result[4] = 0
      end
      n = n + 1
      replies[n] = pack('>BI4I5I5I5d', result[1] and 1 or 0, max(0, result[2]), result[3], result[4], result[5], result[6])
    end
  end
end

local last, text -- most TTLs of a batch are the same, and numbers are slow to write
for key, ttl in pairs(ttls) do
  local state, before = present[key], stored[key]
  if ttl == KEEP then
    -- Over what is there, where it is as long: that is cheaper still.
    if #state == #before then
      redis.call('SETRANGE', KEYS[key], '0', state)
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
