/**
 * `fixed-window` in Lua, with the prelude of `scripts.ts`: step by step what `fixed_window.ts` does.
 */
export const FIXED: string = `
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
`;
