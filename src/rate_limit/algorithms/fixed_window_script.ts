/**
 * `fixed-window` in Lua, with the prelude of `redis/scripts.ts`: step by step what `fixed_window.ts` does.
 */
export const FIXED_WINDOW_LUA: string = `
local function fixed(state, rule, action, cost, receipt)
  local limit, window = rule[2], rule[3]
  local till, count, changed, ttl = 0, 0, false, KEEP
  if #state == 10 then
    local stored_end, stored = unpack_('>I6I4', state)
    if stored_end > now and stored > 0 then
      count = stored
      till = min(stored_end, upper + window)
      if till ~= stored_end then changed, ttl = true, nil end
    end
  end
  local allowed, cut = true, false
  local function add(amount)
    if count == 0 then till, ttl = upper + window, nil end
    count = count + amount
    changed = true
  end
  if action == PENALIZE then
    cut = count > 0 and count + cost > limit
    add(min(cost, max(0, limit - count)))
  elseif action == REFUND then
    allowed = count > 0 and till == receipt
    if allowed then
      count = max(0, count - cost)
      changed = true
    end
  elseif count + cost <= limit then
    if action == CHECK then add(cost) end
  else
    allowed = false
  end
  local left = count > 0 and till - now or 0
  if not ttl or count == 0 then ttl = left end
  local retry = (allowed or action == REFUND) and 0 or left
  return allowed, limit - count, left, retry, left, till, changed and pack('>I6I4', till, count), ttl, cut
end
local function fixed_life(rule) return rule[3] end
`;
