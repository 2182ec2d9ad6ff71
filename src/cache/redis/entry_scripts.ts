import { Script } from "../../redis/script.ts";
import { PRELUDE } from "./ledger_prelude.ts";

/**
 * Writes entries. A loader's write takes effect only while its lease is held, and is as old as the read that preceded
 * the load, so that an invalidation in between hides it.
 *
 * KEYS: entries …, ledger.
 * ARGV: 1 nonce · 2 check the run · 3 … one for each entry, big-endian: f64 lease token (0 = explicit write), epoch and
 * clock of the read; in an explicit write the clock is the server's time in milliseconds from which on it must not take
 * effect; f64 fresh, stale and error milliseconds (-1 = for ever); then the entry as it is stored, without what the
 * server adds: its epoch, its place in the order and the times.
 *
 * Reply: the server's time in milliseconds = all stored, else for each 1 stored, 0 refused, the negative of that time:
 * too late, or the text of an error, after which nothing is at its key.
 */
export const WRITE: Script = new Script(
  PRELUDE + `
local changed, full = {}, nil

local function till(ms) return ms < 0 and NEVER or now + ms end

-- Entries of a batch have numbers in common, which are slow to read and to write: explicit ones the first three, most
-- of them their lifetimes.
local first, token, from, read_at
local lifetimes, failing, times, ttl
local function read_numbers(given)
  local these = string.sub(given, 1, 24)
  if these ~= first then first, token, from, read_at = these, struct.unpack('>ddd', these) end
  these = string.sub(given, 25, 48)
  if these == lifetimes then return end
  local fresh, stale
  lifetimes, fresh, stale, failing = these, struct.unpack('>ddd', these)
  times = struct.pack('>ddd', till(fresh), till(stale), till(failing))
  ttl = failing >= 0 and int(failing)
end

local function write(key, given)
  read_numbers(given)
  local as_of = read_at
  if token ~= 0 then
    local held = ask('GETRANGE', key, 0, 67)
    if #held < 68 or string.byte(held) ~= 1 or struct.unpack('>d', held, 49) ~= token then return 0 end
    -- Tags need not be looked up where nothing was invalidated since.
    local hard = 0
    if newest >= as_of then
      local tags = string.sub(given, 77, 76 + struct.unpack('>I4', given, 73))
      hard = tags_invalidated(tags, (struct.unpack('>I2', given, 51)))
    end
    if from ~= epoch or as_of <= floor or hard >= as_of then
      local kept = string.byte(held, 2) < 128 and ask('SETRANGE', key, 48, struct.pack('>dd', 0, 0))
      if type(kept) == 'table' then full = kept end
      if type(kept) ~= 'number' then redis.call('DEL', key) end
      changed[#changed + 1] = key
      return 0
    end
  else
    if now >= as_of then return -now end
    as_of = math.max(us, last + 1)
  end
  local entry = string.sub(given, 49, 56) .. struct.pack('>dd', epoch, as_of) .. times .. string.sub(given, 57)
  -- A full server refuses no more than the first write of a script.
  local ok = full
  if not full and ttl then
    ok = redis.pcall('SET', key, entry, 'PX', ttl)
  elseif not full then
    ok = redis.pcall('SET', key, entry)
  end
  changed[#changed + 1] = key
  if ok.err then
    if string.find(ok.err, '^%-?OOM') then full = ok end
    -- Whoever wrote must not find what was there before.
    if token == 0 then redis.call('DEL', key) end
    return ok.err
  end
  if token == 0 then last = as_of end
  keep_longest(failing, as_of)
  return 1
end

local was, done, all = last, {}, true
for i = 1, #KEYS - 1 do
  done[i] = write(KEYS[i], ARGV[i + 2])
  all = all and done[i] == 1
end
if last > was then redis.call('ZADD', ledger, int(-last), 'k') end
if changed[1] then outlive() end
ring_keys(changed)
return all and now or done
`,
);

/**
 * Gives an entry a new freshness, keeping how long it is stale and a fallback beyond that.
 *
 * KEYS: 1 entry · 2 ledger. ARGV: 1 nonce · 2 check the run · 3 fresh milliseconds (-1 = for ever).
 * Reply: 1 done, 0 no such entry, or one that its tags keep stale.
 */
export const TOUCH: Script = new Script(
  PRELUDE + `
local h, stale_by_tag = live(KEYS[1])
if not h or stale_by_tag then return 0 end
local ms = tonumber(ARGV[3])
local fresh = ms < 0 and NEVER or now + ms
local function shift(t)
  if fresh == NEVER or (t >= NEVER and h.fresh < NEVER) then return NEVER end
  return h.fresh >= NEVER and fresh or fresh + t - h.fresh
end
local stale, failing = shift(h.stale), shift(h.error)
-- Times that do not follow on each other are not of these scripts' making.
if not (failing > now) then return 0 end
local lease = h.token ~= 0 and h.lease <= now + LONGEST_LEASE and h.lease or 0
redis.call('SETRANGE', KEYS[1], 24, struct.pack('>ddd', fresh, stale, failing))
if failing >= NEVER then redis.call('PERSIST', KEYS[1])
-- A loader that runs keeps its lease, whatever becomes of the entry.
else redis.call('PEXPIREAT', KEYS[1], int(math.max(failing, lease))) end
keep_longest(failing >= NEVER and -1 or failing - now, h.as_of)
outlive()
ring_keys({ KEYS[1] })
return 1
`,
);

/**
 * Extends or gives back leases, or removes what they are for.
 *
 * KEYS: entries …, ledger. ARGV: 1 nonce · 2 check the run · 3 … one for each entry, big-endian: f64 token, f64
 * milliseconds: how long the lease is extended, or how long nobody is granted one; u8 0 to extend, 1 to give back, 2 to
 * remove. Reply: 1 all done, else for each 1 done, 0 the lease was lost.
 */
export const LEASE: Script = new Script(
  // A full server must not keep leases whose loaders are over; nothing here takes room.
  "#!lua flags=allow-oom" + PRELUDE + `
local done, all, extended, changed = {}, true, false, {}
for i = 1, #KEYS - 1 do
  local token, ms, action = struct.unpack('>ddB', ARGV[i + 2])
  local h = header(ask('GETRANGE', KEYS[i], 0, 67))
  if not h or h.token ~= token then
    done[i], all = 0, false
  else
    done[i] = 1
    if action == 0 then
      redis.call('SETRANGE', KEYS[i], 56, struct.pack('>d', now + ms))
      redis.call('PEXPIRE', KEYS[i], int(ms), 'GT')
      extended = true
    else
      if h.placeholder or action == 2 then
        redis.call('DEL', KEYS[i])
      else
        redis.call('SETRANGE', KEYS[i], 48, struct.pack('>dd', ms > 0 and -1 or 0, ms > 0 and now + ms or 0))
      end
      changed[#changed + 1] = KEYS[i]
    end
  end
end
if extended then outlive() end
ring_keys(changed)
return all and 1 or done
`,
);

/**
 * Removes entries by key, and with them the leases of loaders that are running.
 *
 * KEYS: entries …, ledger. ARGV: 1 nonce · 2 check the run. Reply: how many of them could have been served.
 */
export const REMOVE: Script = new Script(
  PRELUDE + `
local removed, keys = 0, {}
for i = 1, #KEYS - 1 do
  if live(KEYS[i]) then removed = removed + 1 end
  redis.call('UNLINK', KEYS[i])
  keys[i] = KEYS[i]
end
ring_keys(keys)
return removed
`,
);
