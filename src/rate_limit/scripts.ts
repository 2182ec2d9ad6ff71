/**
 * The Lua script of the rate limits: all steps of one write, decided one after the other at one moment of the server's clock.
 *
 * Each limit of each identity is one string, and has a TTL:
 *
 * | algorithm | string |
 * |---|---|
 * | `exact` | bytes of an offset (u8) · base (u48, ms) · for each call the milliseconds since the base, oldest first |
 * | `sliding-window` | 4 × width of a part in µs + bytes of a count - 1 (u48) · number of the newest part (u48) · total (u32) · the counts, oldest first |
 * | `gcra` | theoretical arrival time in µs, decimal |
 * | `fixed-window` | end of the window (u48, ms) · count (u32) |
 *
 * What is no such string counts for nothing and is replaced. The functions do, step by step, what those of `exact.ts`,
 * `sliding_window.ts`, `gcra.ts` and `fixed_window.ts` do.
 *
 * @module
 */
import { Script } from "../redis/script.ts";
import { PARTS } from "./sliding_window.ts";

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
local KEEP = -1
local CHECK, PEEK, PENALIZE, REFUND, RESET = 0, 1, 2, 3, 4
local PARTS = ${PARTS}
local INT = { '>I1', '>I2', '>I3', '>I4', '>I5' }

local us, spare = tonumber(ARGV[2]), 600000 -- Redis drops keys by its own clock
if not us then
  spare = 0
  local time = redis.call('TIME')
  us = time[1] * 1000000 + time[2]
end
-- A call is taken to be as late, and a look as early, as the millisecond allows: never a microsecond too short.
local now, upper = floor(us / 1000), ceil(us / 1000)

-- Each returns: allowed, remaining, resetAfter, retryAfter, moreAfter, receipt, the new state if it changed, and whether the key
-- has the right TTL already.

local function exact(state, rule, action, cost, receipt)
  local limit, window, size = rule[2], rule[3], rule[4]
  if action <= PEEK and #state > 7 then
    -- The usual case: nothing has expired since, and there is room.
    local width, base = unpack_('>BI6', state)
    local format = INT[size]
    local live = (#state - 7) / size
    if width == size and live == floor(live) and live + cost <= limit then
      local oldest = base + (unpack_(format, state, 8))
      local newest = base + (unpack_(format, state, #state - size + 1))
      if oldest > now - window and newest <= upper and upper - base < 256 ^ size then
        local more = oldest + window - now
        if action == PEEK then return true, limit - live, newest + window - now, 0, more, upper, false end
        local entry = pack(format, upper - base)
        return true, limit - live - cost, upper + window - now, 0, more, upper,
          state .. (cost == 1 and entry or rep(entry, cost))
      end
    end
  end
  local base, body, width, changed = upper, '', size, false
  if #state > 7 then
    width, base = unpack_('>BI6', state)
    if (width == 4 or width == 5) and (#state - 7) % width == 0 then
      body = sub(state, 8)
    else
      width, base = size, upper
    end
  end
  local format, count, first = INT[width], #body / width, 1
  local function at(i) return base + (unpack_(format, body, (i - 1) * width + 1)) end
  if count > 0 then
    local last = at(count)
    if last > upper then
      base = base - (last - upper)
      changed = true
    end
    if at(1) <= now - window then
      local low, high = 1, count + 1 -- the first that counts
      while low < high do
        local middle = floor((low + high) / 2)
        if at(middle) <= now - window then low = middle + 1 else high = middle end
      end
      body = sub(body, (low - 1) * width + 1)
      count = count - low + 1
    end
  end
  local allowed, retry, live = true, 0, count
  local function append(amount)
    if count == 0 then
      base, width, body = upper, size, ''
    elseif width ~= size or upper - base >= 256 ^ width then
      local from, times = at(1), {}
      for i = 1, count do times[i] = pack(INT[size], at(i) - from) end
      base, width, body = from, size, table.concat(times)
    end
    format = INT[width]
    body = body .. rep(pack(format, upper - base), amount)
    count = count + amount
    changed = true
  end
  if action == PENALIZE then
    append(min(cost, limit))
    local over = count - max(limit, live)
    if over > 0 then
      body = sub(body, over * width + 1)
      count = count - over
    end
  elseif action == REFUND then
    local last = count
    while last > 0 and at(last) > receipt do last = last - 1 end
    local start = last
    while start > 0 and last - start < cost and at(start) == receipt do start = start - 1 end
    if start < last then
      body = sub(body, 1, start * width) .. sub(body, last * width + 1)
      count = count - (last - start)
      changed = true
    end
  elseif live + cost <= limit then
    if action == CHECK then append(cost) end
  else
    allowed = false
    retry = at(live + cost - limit) + window - now
  end
  local reset, more = 0, 0
  if count > 0 then
    reset = at(count) + window - now
    more = at(max(0, count - limit) + 1) + window - now
  end
  return allowed, limit - count, reset, retry, more, upper, changed and (pack('>BI6', width, base) .. body)
end

local function sliding(state, rule, action, cost, receipt)
  local limit, width, size = rule[2], rule[3], rule[4]
  local current = floor(us / width)
  if action == CHECK and #state > 16 then
    -- The usual case: no part has expired since, and there is room.
    local head, last, total = unpack_('>I6I6I4', state)
    local count = (#state - 16) / size
    local first = last - count + 1
    if head == width * 4 + size - 1 and last <= current and first >= current - PARTS and count == floor(count)
      and total + cost <= limit then
      total = total + cost
      local body
      if last == current then
        local newest = unpack_(INT[size], state, #state - size + 1)
        body = sub(state, 17, -size - 1) .. pack(INT[size], newest + cost)
      else
        body = sub(state, 17) .. rep(pack(INT[size], 0), current - last - 1) .. pack(INT[size], cost)
      end
      return true, limit - total, ceil(((current + PARTS + 1) * width - us) / 1000), 0,
        ceil(((first + PARTS + 1) * width - us) / 1000), current, pack('>I6I6I4', head, current, total) .. body,
        last == current
    end
  end
  local body, last, total, count, changed = '', current, 0, 0, false
  local format = INT[size]
  local function at(i) return (unpack_(format, body, (i - 1) * size + 1)) end
  local function trim()
    while count > 0 and at(1) == 0 do
      body = sub(body, size + 1)
      count = count - 1
    end
    while count > 0 and at(count) == 0 do
      body = sub(body, 1, -size - 1)
      count = count - 1
      last = last - 1
    end
  end
  local function expire(newest)
    if last > newest then
      last = newest
      changed = true
    end
    local old = newest - PARTS - (last - count + 1)
    if old > 0 then
      old = min(old, count)
      for i = 1, old do total = total - at(i) end
      body = sub(body, old * size + 1)
      count = count - old
    end
    trim()
  end
  if #state > 16 then
    local head, newest, sum = unpack_('>I6I6I4', state)
    local stored = head % 4 + 1
    local length = (head - head % 4) / 4
    if (#state - 16) % stored == 0 and length > 0 then
      body, last, total, count = sub(state, 17), newest, sum, (#state - 16) / stored
      if length == width and stored == size then
        expire(current)
      else
        -- The preset was changed: what still counts is taken for new, unless its parts are as long.
        local wanted = size
        size, format = stored, INT[stored]
        expire(floor(us / length))
        if length == width then
          local counts = {}
          total = 0
          for i = 1, count do
            local value = min(at(i), 256 ^ wanted - 1)
            counts[i] = pack(INT[wanted], value)
            total = total + value
          end
          body = table.concat(counts)
        else
          total = min(limit, total)
          last, count, body = current, 0, ''
          if total > 0 then count, body = 1, pack(INT[wanted], total) end
        end
        size, format, changed = wanted, INT[wanted], true
      end
    end
  end
  -- When the part with this number stops to count.
  local function ends(part) return ceil(((part + PARTS + 1) * width - us) / 1000) end
  local function freed(needed)
    local gone, i = 0, 0
    while i < count and gone < needed do
      i = i + 1
      gone = gone + at(i)
    end
    return ends(last - count + i)
  end
  local function add(amount)
    local before = 0
    if count == 0 then
      count = 1
    elseif last == current then
      before = at(count)
      body = sub(body, 1, -size - 1)
    else
      body = body .. rep(pack(format, 0), current - last - 1)
      count = count + current - last
    end
    local after = min(limit, before + amount)
    body = body .. pack(format, after)
    last, total, changed = current, total + after - before, true
  end
  local allowed, retry = true, 0
  if action == PENALIZE then
    add(cost)
  elseif action == REFUND then
    local i = receipt - (last - count)
    local found = i >= 1 and i <= count and at(i) or 0
    if found > 0 then
      local after = max(0, found - cost)
      body = sub(body, 1, (i - 1) * size) .. pack(format, after) .. sub(body, i * size + 1)
      total = total + after - found
      changed = true
      trim()
    end
  elseif total + cost <= limit then
    if action == CHECK then add(cost) end
  else
    allowed = false
    retry = freed(total + cost - limit)
  end
  local reset, more = 0, 0
  if total > 0 then
    reset = ends(last)
    more = freed(max(1, total - limit + 1))
  end
  return allowed, limit - total, reset, retry, more, current,
    changed and (pack('>I6I6I4', width * 4 + size - 1, last, total) .. body)
end

local function gcra(state, rule, action, cost, receipt)
  local interval, burst = rule[3], rule[4]
  local tolerance = burst * interval
  local arrival = tonumber(state) or 0
  if arrival ~= arrival then arrival = 0 end
  local changed = arrival > us + tolerance
  arrival = max(us, min(arrival, us + tolerance))
  local allowed, retry = true, 0
  if action == PENALIZE then
    arrival = min(arrival + cost * interval, us + tolerance)
    changed = true
  elseif action == REFUND then
    local back = min(cost * interval, receipt - us, arrival - us)
    if back > 0 then
      arrival = arrival - back
      changed = true
    end
  elseif arrival + cost * interval - tolerance <= us then
    if action == CHECK then
      arrival = arrival + cost * interval
      changed = true
    end
  else
    allowed = false
    retry = ceil((arrival + cost * interval - tolerance - us) / 1000)
  end
  local remaining = floor((us + tolerance - arrival) / interval)
  local more = 0
  if remaining ~= burst then more = ceil((arrival + (remaining + 1) * interval - tolerance - us) / 1000) end
  return allowed, remaining, ceil((arrival - us) / 1000), retry, more, arrival,
    changed and string.format('%.0f', arrival)
end

local function fixed(state, rule, action, cost, receipt)
  local limit, window = rule[2], rule[3]
  local till, count, changed = 0, 0, false
  if #state == 10 then
    local stored_end, stored = unpack_('>I6I4', state)
    if stored_end > now then
      count = stored
      till = min(stored_end, upper + window)
      changed = till ~= stored_end
    end
  end
  local allowed = true
  local function add(amount)
    if count == 0 then till = upper + window end
    count = count + amount
    changed = true
  end
  if action == PENALIZE then
    add(min(cost, max(0, limit - count)))
  elseif action == REFUND then
    if count > 0 and till == receipt then
      count = max(0, count - cost)
      changed = true
    end
  elseif count + cost <= limit then
    if action == CHECK then add(cost) end
  else
    allowed = false
  end
  local left = count > 0 and till - now or 0
  return allowed, limit - count, left, allowed and 0 or left, left, till, changed and pack('>I6I4', till, count)
end

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
    return true, rule[1] == gcra and rule[4] or rule[2], 0, 0, 0, 0, ''
  end
  return rule[1](state, rule, action, cost, receipt)
end

local replies = {}
for i = 1, transactions do
  local steps, key, rule, action, cost, receipt
  steps, key, rule, action, cost, from = unpack_('>BI2BBI4', blob, from)
  if steps == 1 then
    if action == REFUND then receipt, from = unpack_('>d', blob, from) end
    local allowed, remaining, reset, retry, more, token, state, keep =
      step(present, key, rules[rule], action, cost, receipt)
    if state then
      present[key] = state
      if not keep then ttls[key] = reset elseif not ttls[key] then ttls[key] = KEEP end
    end
    replies[#replies + 1] = pack('>BI4I5I5I5d', allowed and 1 or 0, max(0, remaining), reset, retry, more, token)
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
        if not result[8] then resets[key] = result[3] elseif not resets[key] then resets[key] = ttls[key] or KEEP end
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
      replies[#replies + 1] = pack('>BI4I5I5I5d', result[1] and 1 or 0, max(0, result[2]), result[3], result[4], result[5], result[6])
    end
  end
end

local last, text -- most TTLs of a batch are the same, and numbers are slow to write
for key, ttl in pairs(ttls) do
  if ttl == KEEP then
    redis.call('SET', KEYS[key], present[key], 'KEEPTTL')
  elseif ttl > 0 then
    if ttl ~= last then last, text = ttl, string.format('%.0f', ttl + spare) end
    redis.call('PSETEX', KEYS[key], text, present[key])
  elseif stored[key] then
    redis.call('DEL', KEYS[key])
  end
end
return table.concat(replies)
`);
