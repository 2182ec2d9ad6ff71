/**
 * `gcra` and `token-bucket` in Lua, with the prelude of `redis/scripts.ts`: step by step what `gcra.ts` does.
 */
export const GCRA_LUA: string = `
-- A number as an exponent and so many bits, rounded down.
local function short(number, bits)
  local _, exponent = math.frexp(number)
  local e = max(0, exponent - bits)
  return e * 2 ^ bits + floor(number / 2 ^ e)
end
local function long(code, bits)
  local e = floor(code / 2 ^ bits)
  return (code - e * 2 ^ bits) * 2 ^ e
end

-- What is the same for all calls of a rule: all of it, how long that takes at most (ms), the length of a call as it is
-- kept.
local function gcra_prepare(rule)
  local token, drain = rule[3], rule[4]
  rule[5] = rule[2] * token
  rule[6] = ceil(rule[5] * (1 + 1 / PARTS) / (drain * 1000))
  rule[7] = drain == 1 and short(token, 18) or -1
  rule[8] = drain == 1 and long(rule[7], 18) or token
end

-- For how long to keep what is all back after so many milliseconds: who comes again before long finds a key that lasts.
local function keeps(reset, rule) return min(2 * reset + 1000 + floor(rule[6] / PARTS), rule[6]) end

local function gcra(state, rule, action, cost, receipt, at, moved)
  local burst, token, drain = rule[2], rule[3], rule[4]
  local most = rule[5]
  if action == CHECK and drain == 1 and (#state == 12 or #state == 0) then
    -- The usual case: there is room, and the limit is what it was.
    local back, till, kept, same = us, 0, rule[7] * 256, true
    if #state == 12 then
      local mark, top, low, rest = unpack_('>BI3I4I4', state)
      local code = top % 16 * 256 + rest % 256
      local since = floor(top / 16) * 4294967296 + low
      same = mark == 71 and rest - rest % 256 == kept
      till = floor(since / 1000000) + (code < 128 and code or long(code, 7))
      if since > us then back = since end
    end
    local debt = back - us + cost * token
    if same and debt <= most then
      back = us + debt
      local reset, ttl = ceil(debt / 1000), KEEP
      if till * 1000 < now + reset or till * 1000 > now + rule[6] then
        ttl = keeps(reset, rule)
        till = floor((now + ttl) / 1000)
      end
      local remaining = floor((most - debt) / token)
      local span = max(0, till - floor(back / 1000000))
      if span >= 128 then span = short(span, 7) end
      local low = span % 256
      return true, remaining, reset, 0, ceil((debt + (remaining + 1) * token - most) / 1000), debt,
        pack('>BI3I4I4', 71, floor(back / 4294967296) * 16 + (span - low) / 256, back % 4294967296, kept + low), ttl
    end
  end
  local mark, till, since, debt, size, pace = 0, 0, 0, 0, 0, 1
  local own = rule[8]
  if #state == 12 then
    local top, low, rest
    mark, top, low, rest = unpack_('>BI3I4I4', state)
    since = floor(top / 16) * 4294967296 + low
    size = long(floor(rest / 256), 18)
    till = floor(since / 1000000) + long(top % 16 * 256 + rest % 256, 7)
  elseif #state == 29 then
    mark, till, since, debt, size, pace = unpack_('>BI4I7I7I6I4', state)
  end
  local changed = false
  if mark == 71 and size > 0 then
    local left = debt - (us - since) * pace
    if size ~= own or pace ~= drain then left = ceil(left / size * token) end
    changed = left > most
    debt = max(0, min(left, most))
  else
    till, debt = 0, 0
  end
  local allowed, retry, note = true, 0, nil
  if action == PENALIZE then
    note = debt > 0 and debt + cost * token > most
    debt = min(debt + cost * token, most)
    changed = true
  elseif action == REFUND then
    local left = (moved and cost * token or receipt) - (us - at) * drain
    note = max(0, min(cost * token, left, debt))
    allowed = note > 0
    debt = debt - note
    changed = changed or allowed
  elseif debt + cost * token <= most then
    if action == CHECK then
      debt = debt + cost * token
      changed = true
    end
  else
    allowed = false
    retry = ceil((debt + cost * token - most) / (drain * 1000))
  end
  local remaining = floor((most - debt) / token)
  local more = 0
  if remaining ~= burst then more = ceil((debt + (remaining + 1) * token - most) / (drain * 1000)) end
  local reset, ttl = ceil(debt / (drain * 1000)), KEEP
  if reset > 0 then
    if not lasts(till, now + reset, rule[6] - reset) then
      ttl = keeps(reset, rule)
      till = floor((now + ttl) / 1000)
    end
  else
    till, ttl = 0, 0
  end
  local after
  if changed then
    if drain == 1 then
      -- Where a microsecond is a whole part, the moment at which all is back says as much.
      local back = us + debt
      local high, kept = floor(back / 4294967296), short(max(0, till - floor(back / 1000000)), 7)
      after = pack('>BI3I4I4', 71, high * 16 + floor(kept / 256), back % 4294967296, rule[7] * 256 + kept % 256)
    else
      after = pack('>BI4I7I7I6I4', 71, till, us, debt, token, drain)
    end
  end
  return allowed, remaining, reset, retry, more, debt, after, ttl, note
end
local function gcra_life(rule) return ceil(rule[2] * rule[3] * (1 + 1 / PARTS) / (rule[4] * 1000)) end
`;
