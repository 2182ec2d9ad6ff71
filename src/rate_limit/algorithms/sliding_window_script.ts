import { MAX_TOTAL } from "./parts.ts";

/**
 * `sliding-window` in Lua, with the prelude of `redis/scripts.ts`: step by step what `sliding_window.ts` does.
 */
export const SLIDING_WINDOW_LUA: string = `
local MAX_TOTAL = ${MAX_TOTAL}
local WHOLE = { '>I6I6I4c0I1', '>I6I6I4c0I2', '>I6I6I4c0I3', '>I6I6I4c0I4' }
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
      local before, newest
      if last == current then
        before, newest = sub(state, 17, -size - 1), unpack_(INT[size], state, #state - size + 1)
      else
        before, newest = sub(state, 17) .. rep(pack(INT[size], 0), current - last - 1), 0
      end
      local reset = ceil(((current + PARTS + 1) * width - us) / 1000)
      return true, limit - total, reset, 0, ceil(((first + PARTS + 1) * width - us) / 1000), current,
        pack(WHOLE[size], head, current, total, before, newest + cost), last == current and KEEP or reset
    end
  end
  local body, last, total, count, changed, cut = '', current, 0, 0, false, false
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
    -- What somebody else has written need not add up.
    total = count > 0 and max(0, total) or 0
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
    if (#state - 16) % stored == 0 and length > 0 and (#state - 16) / stored <= PARTS + 1 then
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
    cut = before > 0 and before + amount > limit
    local after = min(limit, before + amount, before + MAX_TOTAL - total)
    body = body .. pack(format, after)
    last, total, changed = current, max(after, total + after - before), true
  end
  local allowed, retry = true, 0
  if action == PENALIZE then
    add(cost)
  elseif action == REFUND then
    local i = receipt - (last - count)
    local found = i >= 1 and i <= count and at(i) or 0
    allowed = found > 0
    if allowed then
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
    changed and (pack('>I6I6I4', width * 4 + size - 1, last, total) .. body), reset, cut
end
local function sliding_life(rule) return ceil((PARTS + 1) * rule[3] / 1000) end
`;
