/**
 * `gcra` and `token-bucket` in Lua, with the prelude of `scripts.ts`: step by step what `gcra.ts` does.
 */
export const GCRA: string = `
local function gcra(state, rule, action, cost, receipt)
  local interval, burst = rule[3], rule[4]
  local tolerance = burst * interval
  local mark, till, arrival = 0, 0, 0
  if #state == 12 then mark, till, arrival = unpack_('>BI4I7', state) end
  if mark ~= 103 then till, arrival = 0, 0 end
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
  local reset, ttl = ceil((arrival - us) / 1000), KEEP
  if reset > 0 then
    local most = ceil(tolerance * (1 + 1 / PARTS) / 1000)
    if not lasts(till, now + reset, most - reset) then
      ttl = min(2 * reset + 1000, most)
      till = floor((now + ttl) / 1000)
    end
  else
    till, ttl = 0, 0
  end
  return allowed, remaining, reset, retry, more, arrival, changed and pack('>BI4I7', 103, till, arrival), ttl
end
`;
