import { Script } from "../redis/script.ts";
import { PRELUDE } from "./ledger_prelude.ts";

/**
 * Writes an entry. A loader's write takes effect only while its lease is held, and is as old as the read that preceded the
 * load, so that an invalidation in between hides it.
 *
 * KEYS: 1 entry · 2 ledger.
 * ARGV: 1 nonce · 2 check the run · 3 lease token, 0 = explicit write · 4 epoch and 5 clock of the read; in an explicit write,
 * 5 is the server's time in milliseconds from which on it must not take effect · 6 fresh, 7 stale,
 * 8 error milliseconds (-1 = for ever) · 9 flags · 10 milliseconds loaded · 11 number of tags · 12 tags · 13 payload.
 *
 * Reply: 1 stored, 0 refused, the server's time in milliseconds as a negative number: too late.
 */
export const WRITE: Script = new Script(
  PRELUDE + `
local key, token, as_of = KEYS[1], tonumber(ARGV[3]), math.max(us, last + 1)
local count = tonumber(ARGV[11])
if token == 0 and now >= tonumber(ARGV[5]) then return -now end
if token ~= 0 then
  as_of = tonumber(ARGV[5])
  local h = header(redis.pcall('GETRANGE', key, 0, 67))
  if not h or h.token ~= token then return 0 end
  if tonumber(ARGV[4]) ~= epoch or as_of <= floor or tags_invalidated(ARGV[12], count) >= as_of then
    if h.placeholder then redis.call('DEL', key) else redis.call('SETRANGE', key, 48, struct.pack('>dd', 0, 0)) end
    ring_key(key)
    return 0
  end
end
local function till(ms) return ms < 0 and NEVER or now + ms end
local fresh, stale, failing = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local entry = struct.pack('>BBI2I4dddddddI4', 1, tonumber(ARGV[9]), count, tonumber(ARGV[10]), epoch, as_of,
  till(fresh), till(stale), till(failing), 0, 0, #ARGV[12]) .. ARGV[12] .. ARGV[13]
local ok
if failing < 0 then ok = redis.pcall('SET', key, entry) else ok = redis.pcall('SET', key, entry, 'PX', failing) end
if ok.err then
  -- Whoever wrote must not find what was there before.
  if token == 0 then redis.call('DEL', key) end
  ring_key(key)
  return ok
end
keep_longest(failing, as_of)
if token == 0 then redis.call('ZADD', ledger, int(-as_of), 'k') end
ring_key(key)
return 1
`,
);

/**
 * Gives an entry a new freshness, keeping how long it is stale and a fallback beyond that.
 *
 * KEYS: 1 entry · 2 ledger. ARGV: 1 nonce · 2 check the run · 3 fresh milliseconds (-1 = for ever).
 * Reply: 1 done, 0 no such entry.
 */
export const TOUCH: Script = new Script(
  PRELUDE + `
local h = live(KEYS[1])
if not h then return 0 end
local ms = tonumber(ARGV[3])
local fresh = ms < 0 and NEVER or now + ms
local function shift(t)
  if fresh == NEVER or (t >= NEVER and h.fresh < NEVER) then return NEVER end
  return h.fresh >= NEVER and fresh or fresh + t - h.fresh
end
local stale, failing = shift(h.stale), shift(h.error)
redis.call('SETRANGE', KEYS[1], 24, struct.pack('>ddd', fresh, stale, failing))
if failing >= NEVER then redis.call('PERSIST', KEYS[1])
-- A loader that runs keeps its lease, whatever becomes of the entry.
else redis.call('PEXPIREAT', KEYS[1], int(h.token ~= 0 and math.max(failing, h.lease) or failing)) end
keep_longest(failing >= NEVER and -1 or failing - now, h.as_of)
ring_key(KEYS[1])
return 1
`,
);

/**
 * Extends or gives back a lease.
 *
 * KEYS: 1 entry · 2 ledger. ARGV: 1 nonce · 2 check the run · 3 token · 4 "extend" or "release" · 5 milliseconds: how long the lease
 * is extended, or how long nobody is granted one.
 * Reply: 1 done, 0 the lease was lost.
 */
export const LEASE: Script = new Script(
  PRELUDE + `
local h = header(redis.pcall('GETRANGE', KEYS[1], 0, 67))
if not h or h.token ~= tonumber(ARGV[3]) then return 0 end
local ms = tonumber(ARGV[5])
if ARGV[4] == 'extend' then
  redis.call('SETRANGE', KEYS[1], 56, struct.pack('>d', now + ms))
  redis.call('PEXPIRE', KEYS[1], ms, 'GT')
elseif h.placeholder then
  redis.call('DEL', KEYS[1])
else
  redis.call('SETRANGE', KEYS[1], 48, struct.pack('>dd', ms > 0 and -1 or 0, ms > 0 and now + ms or 0))
end
if ARGV[4] == 'release' then ring_key(KEYS[1]) end
return 1
`,
);

/**
 * Removes entries by key, and with them the leases of loaders that are running.
 *
 * KEYS: entries …, ledger. ARGV: 1 nonce · 2 check the run. Reply: how many of them could have been served.
 */
export const REMOVE: Script = new Script(
  PRELUDE + `
local removed = 0
for i = 1, #KEYS - 1 do
  if live(KEYS[i]) then removed = removed + 1 end
  redis.call('UNLINK', KEYS[i])
  ring_key(KEYS[i])
end
return removed
`,
);
