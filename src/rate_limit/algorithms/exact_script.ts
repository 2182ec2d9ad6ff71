import { MAX_CALLS } from "./parts.ts";

/**
 * `exact` in Lua, with the prelude of `redis/scripts.ts`: step by step what `exact.ts` does.
 */
export const EXACT_LUA: string = `
local HEAD, SPAN = { [4] = '>BI4I6I4', [5] = '>BI4I6I5' }, { [4] = 256 ^ 4, [5] = 256 ^ 5 }
local function exact(state, rule, action, cost, receipt)
  local limit, window, size = rule[2], rule[3], rule[4]
  local spell = floor(window / PARTS) + 1
  if action <= PEEK and #state >= 11 + size then
    -- The usual case: nothing has expired since, there is room, and the key lives long enough.
    local width, till, base, oldest = unpack_(HEAD[size], state)
    local format = INT[size]
    local live = (#state - 11) / size
    if width == size and live == floor(live) and live + cost <= limit then
      local newest = base + (unpack_(format, state, #state - size + 1))
      if base + oldest > now - window and base + oldest <= newest and newest <= upper and upper - base < SPAN[size]
        and lasts(till, upper + window, spell) then
        local more = base + oldest + window - now
        if action == PEEK then return true, limit - live, newest + window - now, 0, more, upper, false end
        local entry = pack(format, upper - base)
        return true, limit - live - cost, upper + window - now, 0, more, upper,
          state .. (cost == 1 and entry or rep(entry, cost)), KEEP
      end
    end
  end
  local till, base, body, width, changed = 0, upper, '', size, false
  if #state > 11 then
    width, till, base = unpack_('>BI4I6', state)
    -- More calls than any limit has were written by somebody else.
    if (width == 4 or width == 5) and (#state - 11) % width == 0 and (#state - 11) / width <= ${MAX_CALLS} then
      body = sub(state, 12)
    else
      width, till, base = size, 0, upper
    end
  end
  local format, count = INT[width], #body / width
  local function written(i) return base + (unpack_(format, body, (i - 1) * width + 1)) end
  -- None is from the future, whatever order somebody else has put them in.
  local function at(i) return min(written(i), upper) end
  if count > 0 then
    local last = written(count)
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
  local allowed, retry, live, cut = true, 0, count, false
  local function append(amount)
    if count == 0 then
      base, width, body = upper, size, ''
    elseif width ~= size or upper - base >= SPAN[width] then
      local from, times = at(1), {}
      for i = 1, count do times[i] = pack(INT[size], max(0, at(i) - from)) end
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
      cut = live > 0 and at(over) == upper
      body = sub(body, over * width + 1)
      count = count - over
    end
  elseif action == REFUND then
    local last = count
    while last > 0 and at(last) > receipt do last = last - 1 end
    local start = last
    while start > 0 and last - start < cost and at(start) == receipt do start = start - 1 end
    allowed = start < last
    if allowed then
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
  local reset, more, ttl, longer = 0, 0, KEEP, nil
  if count > 0 then
    reset = at(count) + window - now
    more = at(max(0, count - limit) + 1) + window - now
    if not lasts(till, now + reset, spell) then
      local short = till * 1000 < now + reset
      ttl = reset + spell
      till = floor((now + ttl) / 1000)
      -- The window may have become longer since: the key has to last, and what it holds stays as it is.
      if short and not changed and action ~= PEEK then
    longer = sub(state, 1, 1) .. pack('>I4', till) .. sub(state, 6)
  end
    end
  else
    till, ttl = 0, 0
  end
  return allowed, limit - count, reset, retry, more, upper,
    longer or changed and (pack('>BI4I6', width, till, base) .. body), ttl, cut
end
local function exact_life(rule) return rule[3] end
`;
