/**
 * The Lua scripts of the cache. Each is one atomic step of the protocol and takes the server's time once.
 *
 * The *ledger* is one sorted set per slot. Its members:
 *
 * | member | score | what |
 * |---|---|---|
 * | `h:` tag, `s:` tag | clock | newest hard and stale invalidation of the tag |
 * | `p:` glob | -(2^52 + clock) | invalidation by pattern whose entries are being removed |
 * | `e` | -epoch | random when the ledger is born |
 * | `r` | -run | which run of the server this ledger has lived in |
 * | `k` | -clock | the last clock value issued |
 * | `i` | -clock | the newest invalidation of any kind |
 * | `f` | -clock | floor: records up to it were pruned, so nothing as old is valid |
 * | `l` | -milliseconds | the longest lifetime of any entry written |
 * | `q` | -clock | the last change that could not be told on the bell |
 *
 * What changes is also published on the *bell*, one channel per namespace: `k` key · `h` or `s` clock (f64) tag · `p` clock glob ·
 * `e` for everything. It wakes who waits for a loader and keeps local copies true; nothing is lost with it but time.
 *
 * All of the ledger vanishes together or not at all. A ledger that is gone, or that comes from before a restart of the server (which
 * may have lost the newest records), is born again with another epoch: whatever was cached before is a miss.
 *
 * @module
 */
import { Script } from "../redis/script.ts";

/** Opens the ledger and reads entries; shared by the scripts. Names its KEYS and ARGV where it is used. */
const PRELUDE = `
local BARRIER, FOREVER, NEVER = 4503599627370496, 4000000000000000, 9000000000000000
local ledger = KEYS[#KEYS]
local function int(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)
local epoch, last, newest, floor, longest

-- Tells the processes of this namespace what changed. Where nobody listens it costs next to nothing; a user who may not leaves a
-- mark, which they look for from time to time.
local function ring(...)
  local told = redis.pcall('PUBLISH', string.match(ledger, '^{([%w._-]+)') .. ':bell', table.concat({ ... }))
  if type(told) == 'table' and told.err then redis.pcall('ZADD', ledger, int(-us), 'q') end
end
local function ring_key(key) ring('k', string.sub(key, #ledger - 3)) end

local function born(run)
  redis.call('UNLINK', ledger)
  epoch = (tonumber(ARGV[1]) + us) % 281474976710656 + 1
  newest, floor, longest = 0, 0, 0
  last = math.max(us, last + 1)
  redis.call('ZADD', ledger, int(-epoch), 'e', int(-run), 'r', int(-last), 'k')
  ring('e')
end

-- The server's run, as a number; 0 where the user may not ask.
local function server_run()
  local info = redis.pcall('INFO', 'server')
  local id = type(info) == 'string' and string.match(info, 'run_id:(%x+)')
  return id and tonumber(string.sub(id, 1, 12), 16) or 0
end

do
  local m = redis.call('ZMSCORE', ledger, 'e', 'r', 'k', 'i', 'f', 'l')
  epoch, last, newest, floor, longest =
    -(m[1] or 0), -(m[3] or 0), -(m[4] or 0), -(m[5] or 0), -(m[6] or 0)
  if not m[1] then
    born(server_run())
  elseif ARGV[2] == '1' then
    local run = server_run()
    if run ~= 0 and run ~= -m[2] then born(run) end
  end
end

local function look_up(tags, count)
  local names, at = {}, 1
  for i = 1, count do
    local tag
    tag, at = struct.unpack('>I2c0', tags, at)
    names[i], names[count + i] = 'h:' .. tag, 's:' .. tag
  end
  local scores = redis.call('ZMSCORE', ledger, unpack(names))
  local hard, stale = 0, 0
  for i = 1, count do
    if scores[i] then hard = math.max(hard, scores[i]) end
    if scores[count + i] then stale = math.max(stale, scores[count + i]) end
  end
  return hard, stale
end

-- Clock values of the newest hard and stale invalidation of the tags in a string of (u16 length, tag); infinite where the
-- string is damaged.
local function tags_invalidated(tags, count)
  if count == 0 then return 0, 0 end
  local ok, hard, stale = pcall(look_up, tags, count)
  if not ok then return math.huge, 0 end
  return hard, stale
end

-- An entry's fixed part; nil where there is no readable entry, or something else altogether.
local function header(s)
  if not s or #s < 68 or string.byte(s) ~= 1 then return nil end
  local h, _ = {}, nil
  _, h.flags, h.tag_count, _, h.epoch, h.as_of, h.fresh, h.stale, h.error, h.token, h.lease, h.tags_length =
    struct.unpack('>BBI2I4dddddddI4', s)
  h.placeholder = h.flags >= 128
  return h
end

-- The fixed part of the entry at a key, if the entry is there to be served.
local function live(key)
  local h = header(redis.pcall('GETRANGE', key, 0, 67))
  if not h or h.placeholder or h.epoch ~= epoch or h.as_of <= floor or h.error <= now then return nil end
  if h.tag_count > 0 and h.as_of <= newest then
    local hard = tags_invalidated(redis.call('GETRANGE', key, 68, 67 + h.tags_length), h.tag_count)
    if hard >= h.as_of then return nil end
  end
  return h
end

-- Notes how long an entry may live, counted from its place in the order, since that is what invalidations are compared with.
local function keep_longest(ms, as_of)
  ms = ms < 0 and FOREVER or ms + math.max(0, now - math.floor(as_of / 1000))
  if ms > longest then redis.call('ZADD', ledger, int(-ms), 'l') end
end
`;

/**
 * Reads entries, the news of the ledger and, for the first keys, grants leases where there is nothing fresh. Answers one
 * string, since one reply is what clients parse fastest. What the caller can judge by itself is left to it: at a hundred
 * thousand reads per second, each call in the loop counts.
 *
 * KEYS: entries …, ledger.
 * ARGV: 1 nonce · 2 check the run · 3 epoch known · 4 clock seen · 5 clock up to which the caller knows no tags ·
 * 6 number of keys that want a lease · 7 lease token · 8 lease milliseconds (negative = also from who holds it) · 9 … (optional, one per leased key) n > 0:
 * the caller knows that what is as old as n is invalid; n < 0: that what is as old as -n is stale.
 *
 * Reply: a MessagePack array of the entries (false where there is none) and, last, the news. The news, big-endian: f64 epoch,
 * clock, now, last clock, newest invalidation, floor; u8 1 = forget what you know, 2 = and the records are all there are; u16 records, u16 barriers, u16 notes; each
 * record and barrier f64 clock, u16 length, member; each note u16 index, u8 kind (2 lease granted, 4 tags looked up, 8 ask
 * again), f64 hard, f64 stale.
 */
export const READ: Script = new Script(
  PRELUDE + `
local seen, unknown = tonumber(ARGV[4]), tonumber(ARGV[5])
local wanted, token, lease = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local clock = math.max(us, last)
local granted, steal = false, lease < 0
lease = math.abs(lease)

local forget, records, barriers = tonumber(ARGV[3]) ~= epoch, {}, {}
if not forget and newest > seen then
  records = redis.call('ZRANGEBYSCORE', ledger, '(' .. ARGV[4], '+inf', 'WITHSCORES', 'LIMIT', 0, 1001)
  if #records > 2000 then forget, records = true, {} end
end
local complete = false
if forget then
  unknown = last
  if newest > 0 then
    -- A ledger that is not too long is told as a whole, so that its tags need not be looked up again and again.
    records = redis.call('ZRANGEBYSCORE', ledger, '(0', '+inf', 'WITHSCORES', 'LIMIT', 0, 5001)
    complete = #records <= 10000
    if complete then unknown = floor else records = {} end
    barriers = redis.call('ZRANGEBYSCORE', ledger, '-inf', '(' .. int(-BARRIER), 'WITHSCORES')
  end
elseif newest > seen then
  barriers = redis.call('ZRANGEBYSCORE', ledger, '-inf', '(' .. int(-BARRIER - seen), 'WITHSCORES')
end

local function grant(key, keep)
  local ok
  if keep then
    ok = redis.pcall('SETRANGE', key, 48, struct.pack('>dd', token, now + lease))
    if type(ok) == 'number' then redis.call('PEXPIRE', key, lease, 'GT') end
  else
    ok = redis.pcall('SET', key,
      struct.pack('>BBI2I4dddddddI4', 1, 128, 0, 0, epoch, math.max(us, last + 1), 0, 0, 0, token, now + lease, 0),
      'PX', lease)
  end
  -- A full server refuses the lease; the caller then loads without one.
  if type(ok) == 'table' and ok.err then return 0 end
  granted = true
  return 2
end

local count = #KEYS - 1
local values
if count <= 64 then
  values = redis.call('MGET', unpack(KEYS, 1, count))
else
  values = {}
  local size = 0
  for first = 1, count, 64 do
    local final = math.min(first + 63, count)
    -- What does not fit into a reply of sensible size is asked for again.
    local part = size < 33554432 and redis.call('MGET', unpack(KEYS, first, final))
    for i = first, final do
      local value = 0
      if part then value = part[i - first + 1] end
      values[i] = value
      if part and value then size = size + #value end
    end
  end
end

local notes, n = {}, 0
local bound = math.min(unknown, newest)
local number = struct.unpack
for i = 1, (bound > 0 or count > 64) and count or wanted do
  local value = values[i]
  if value == 0 then
    values[i], n = false, n + 1
    notes[n] = struct.pack('>I2Bdd', i - 1, 8, 0, 0)
  elseif value or i <= wanted then
    local readable = value and #value >= 68 and string.byte(value) == 1
    local of, as_of, fresh = 0, 0, 0
    if readable then of, as_of, fresh = number('>ddd', value, 9) end
    local usable = readable and of == epoch and as_of > floor
    local kind, hard, stale = 0, 0, 0
    if usable and as_of <= bound then
      kind = 4
      hard, stale = tags_invalidated(string.sub(value, 69, 68 + number('>I4', value, 65)), number('>I2', value, 3))
    end
    if i <= wanted then
      local limit = tonumber(ARGV[8 + i] or 0)
      if not usable or fresh <= now or limit ~= 0 or hard >= as_of or stale >= as_of then
        local h = usable and header(value)
        local keep = h and not h.placeholder and h.error > now and hard < as_of and not (limit > 0 and as_of <= limit)
        local due = not keep or fresh <= now or stale >= as_of or (limit < 0 and as_of <= -limit)
        local busy = h and h.lease > now and (h.token > 0 or (h.token < 0 and keep))
        if due and (steal or not busy) then kind = kind + grant(KEYS[i], keep) end
      end
    end
    if kind > 0 then
      n = n + 1
      notes[n] = struct.pack('>I2Bdd', i - 1, kind, hard, stale)
    end
  end
end

if granted then
  clock = math.max(us, last + 1)
  last = clock
  redis.call('ZADD', ledger, int(-clock), 'k')
end
local news = { struct.pack('>ddddddBI2I2I2', epoch, clock, now, last, newest, floor, complete and 2 or forget and 1 or 0,
  #records / 2, #barriers / 2, n) }
for i = 1, #records, 2 do
  news[#news + 1] = struct.pack('>dI2', tonumber(records[i + 1]), #records[i]) .. records[i]
end
for i = 1, #barriers, 2 do
  news[#news + 1] = struct.pack('>dI2', -barriers[i + 1] - BARRIER, #barriers[i]) .. barriers[i]
end
values[count + 1] = table.concat(news) .. table.concat(notes)
return cmsgpack.pack(values)
`,
);

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

/** Prunes the ledger after an invalidation: bounded in number and in time, each time raising the floor. */
const PRUNE = `
local function prune(before)
  redis.call('ZREMRANGEBYSCORE', ledger, 1, int(before))
  redis.call('ZREMRANGEBYSCORE', ledger, int(-BARRIER - before), '(' .. int(-BARRIER))
  if before > floor then
    floor = before
    redis.call('ZADD', ledger, int(-before), 'f')
  end
end
local function bound(records)
  -- What was written before the longest lifetime began is gone.
  if longest > 0 and longest < FOREVER then
    local old = us - longest * 1000
    local first = redis.call('ZRANGEBYSCORE', ledger, 1, int(old), 'LIMIT', 0, 1)
    if #first > 0 then prune(old) end
  end
  if redis.call('ZCARD', ledger) > records then
    local cut = redis.call('ZRANGEBYSCORE', ledger, 1, '+inf', 'WITHSCORES', 'LIMIT', math.floor(records / 4), 1)
    if cut[2] then prune(tonumber(cut[2])) end
  end
  if redis.call('ZCOUNT', ledger, '-inf', '(' .. int(-BARRIER)) > 1000 then
    -- The oldest barriers have the highest scores.
    local cut = redis.call('ZREVRANGEBYSCORE', ledger, '(' .. int(-BARRIER), '-inf', 'WITHSCORES', 'LIMIT', 250, 1)
    if cut[2] then prune(-cut[2] - BARRIER) end
  end
end
`;

/**
 * Records the invalidation of tags, or of a pattern.
 *
 * KEYS: 1 ledger. ARGV: 1 nonce · 2 check the run · 3 kind: "h:", "s:" or "p:" · 4 most records kept · 5 … tags or patterns.
 * Reply: the clock of the invalidation.
 */
export const INVALIDATE: Script = new Script(
  // A full server must not keep what it holds from being invalidated.
  "#!lua flags=allow-oom" + PRELUDE + PRUNE + `
local at = math.max(us, last + 1)
local score = int(ARGV[3] == 'p:' and -BARRIER - at or at)
local args = { int(-at), 'k', int(-at), 'i' }
for i = 5, #ARGV do
  args[#args + 1] = score
  args[#args + 1] = ARGV[3] .. ARGV[i]
end
redis.call('ZADD', ledger, unpack(args))
bound(tonumber(ARGV[4]))
for i = 5, #ARGV do ring(string.sub(ARGV[3], 1, 1), struct.pack('>d', at), ARGV[i]) end
return at
`,
);

/** Starts a new epoch. KEYS: 1 ledger. ARGV: 1 nonce · 2 check the run. Reply: the epoch. */
export const CLEAR: Script = new Script(
  PRELUDE + `
born(server_run())
return epoch
`,
);

/**
 * Removes what an invalidation has already hidden: entries of another epoch, and entries as old as the invalidation.
 *
 * KEYS: entries …, ledger. ARGV: 1 nonce · 2 check the run · 3 clock of the invalidation, 0 = only other epochs.
 * Reply: how many could have been served without it.
 */
export const SWEEP: Script = new Script(
  PRELUDE + `
local at, removed = tonumber(ARGV[3]), 0
for i = 1, #KEYS - 1 do
  local h = header(redis.pcall('GETRANGE', KEYS[i], 0, 67))
  if h and (h.epoch ~= epoch or h.as_of <= at) then
    if live(KEYS[i]) then removed = removed + 1 end
    redis.call('UNLINK', KEYS[i])
  end
end
return removed
`,
);

/**
 * Takes a pattern off the ledger once its entries are removed, unless it was invalidated again.
 *
 * KEYS: 1 ledger. ARGV: 1 nonce · 2 check the run · 3 clock of the invalidation · 4 pattern.
 * Reply: 1 taken off, 0 not there or newer.
 */
export const UNBAR: Script = new Script(
  PRELUDE + `
local member = 'p:' .. ARGV[4]
local score = redis.call('ZSCORE', ledger, member)
if not score or -score - BARRIER ~= tonumber(ARGV[3]) then return 0 end
return redis.call('ZREM', ledger, member)
`,
);
