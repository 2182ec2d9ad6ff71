import { Script } from "../../redis/script.ts";
import { PRELUDE } from "./ledger_prelude.ts";

/** What a caller of {@linkcode READ} knows and wants. */
export interface ReadRequest {
  /** The epoch that it knows. */
  readonly epoch: number;
  /** The clock up to which it has heard of everything. */
  readonly seen: number;
  /** The clock up to which it knows no tags. */
  readonly floor: number;
  /** The token of the leases. */
  readonly token: number;
  /** How many milliseconds a lease lasts; negative: taken also from who holds it. */
  readonly lease: number;
  /** How many it lasts until it is first extended. */
  readonly proof: number;
  /** How many keys want one: the first ones. */
  readonly wanted: number;
  /**
   * For each of these, if for any: n > 0 when the caller knows that what is as old as n is invalid, n < 0 when what is as old as -n is
   * stale, else 0.
   */
  readonly limits: readonly number[];
}

/** Encodes the third argument: f64 epoch, clock seen, clock of unknown tags, token, lease, proof; u16 wanted; f64 limits. */
export function encodeRequest(request: ReadRequest): Uint8Array {
  const { epoch, seen, floor, token, lease, proof, wanted, limits } = request;
  const bytes = new Uint8Array(50 + 8 * limits.length);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, epoch);
  view.setFloat64(8, seen);
  view.setFloat64(16, floor);
  view.setFloat64(24, token);
  view.setFloat64(32, lease);
  view.setFloat64(40, proof);
  view.setUint16(48, wanted);
  for (let i = 0; i < limits.length; i++) view.setFloat64(50 + 8 * i, limits[i]!);
  return bytes;
}

/**
 * Reads entries, the news of the ledger and, for the first keys, grants leases where there is nothing fresh. Answers one
 * string, since one reply is what clients parse fastest. What the caller can judge by itself is left to it: at a hundred
 * thousand reads per second, each call in the loop counts.
 *
 * KEYS: entries …, ledger.
 * ARGV: 1 nonce · 2 check the run · 3 what the caller knows and wants, in one piece because each argument costs as much as a key
 * ({@linkcode encodeRequest}).
 *
 * Reply: a MessagePack array of the entries (false where there is none) and, last, the news. The news, big-endian: f64 epoch,
 * clock, now, last clock, newest invalidation, floor; u8 1 = forget what you know, 2 = and the records are all there are; u16 records, u16 barriers, u16 notes; each
 * record and barrier f64 clock, u16 length, member; each note u16 index, u8 kind (2 lease granted, 4 tags looked up, 8 ask
 * again), f64 hard, f64 stale.
 */
export const READ: Script = new Script(
  PRELUDE + `
local number, byte = struct.unpack, string.byte
local known, seen, unknown, token, lease, proof, wanted, limits = number('>ddddddI2', ARGV[3])
if limits > #ARGV[3] then limits = nil end
local at_first = epoch
-- It goes on from what this caller has read, unless somebody has put an older copy in its place.
if known == epoch and seen > last then reborn() end
local clock = math.max(us, last)
local granted, steal = false, lease < 0
lease = math.abs(lease)

-- Whether members and their clocks, as they are told, are what invalidations write, and no more than those can be.
local function sound(list, kinds, most, clock_of)
  local bytes = 0
  for i = 1, #list, 2 do
    local at = clock_of(tonumber(list[i + 1]))
    bytes = bytes + #list[i]
    if not kinds[string.sub(list[i], 1, 2)] or #list[i] > 65535 or at <= 0 or at > last then return false end
  end
  return #list <= most and bytes <= 8388608
end
-- Whether nothing but marks has the score of one: the record of an invalidation may be among what has.
local function unmixed()
  local marks = 0
  for _, mark in ipairs({ 'e', 'r', 'k', 'i', 'f', 'l', 'q' }) do
    if redis.call('ZSCORE', ledger, mark) then marks = marks + 1 end
  end
  return redis.call('ZCOUNT', ledger, '(' .. int(-BARRIER), 0) == marks
end
local TAGS, PATTERNS = { ['h:'] = true, ['s:'] = true }, { ['p:'] = true }
local function same(score) return score end
local function barred(score) return -score - BARRIER end

local forget, records, barriers = known ~= epoch, {}, {}
if not forget and newest > seen then
  records = redis.call('ZRANGEBYSCORE', ledger, '(' .. int(seen), '+inf', 'WITHSCORES', 'LIMIT', 0, 1001)
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
    barriers = redis.call('ZRANGEBYSCORE', ledger, '-inf', '(' .. int(-BARRIER), 'WITHSCORES', 'LIMIT', 0, 2001)
  end
elseif newest > seen then
  barriers = redis.call('ZRANGEBYSCORE', ledger, '-inf', '(' .. int(-BARRIER - seen), 'WITHSCORES', 'LIMIT', 0, 2001)
end
if not sound(records, TAGS, 10000, same) or not sound(barriers, PATTERNS, 4000, barred)
  or forget and not unmixed() then reborn() end

local function grant(key, keep)
  local ok
  if keep then
    ok = redis.pcall('SETRANGE', key, 48, struct.pack('>dd', token, now + proof))
    if type(ok) == 'number' then redis.call('PEXPIRE', key, lease, 'GT') end
  else
    ok = redis.pcall('SET', key,
      struct.pack('>BBI2I4dddddddI4', 1, 128, 0, 0, epoch, math.max(us, last + 1), 0, 0, 0, token, now + proof, 0),
      'PX', lease)
  end
  -- A full server refuses the lease; the caller then loads without one.
  if type(ok) == 'table' and ok.err then return 0 end
  granted = true
  return 2
end

local count = #KEYS - 1
local values = count <= 16 and redis.call('MGET', unpack(KEYS, 1, count)) or {}
-- What does not fit into a reply that a slow line carries in time is asked for again; the first value always does.
local ROOM = 262144
local room, missing = ROOM, false
for first = 1, count > 1 and count or 0, 16 do
  local final = math.min(first + 15, count)
  local part = values
  if count > 16 then part = not missing and redis.call('MGET', unpack(KEYS, first, final)) end
  for i = first, final do
    local value = part and part[count > 16 and i - first + 1 or i]
    if not missing and value then
      missing = room < ROOM and #value > room
      room = room - #value
    end
    if missing then value = 0 end
    values[i] = value
  end
end

local notes, n = {}, 0
local bound = math.min(unknown, newest)
for i = 1, (bound > 0 or missing) and count or wanted do
  local value = values[i]
  if value == 0 then
    values[i], n = false, n + 1
    notes[n] = struct.pack('>I2Bdd', i - 1, 8, 0, 0)
  elseif value or i <= wanted then
    local readable = value and #value >= 68 and byte(value) == 1
    local of, as_of, fresh = 0, 0, 0
    if readable then of, as_of, fresh = number('>ddd', value, 9) end
    local usable = readable and of == epoch and as_of > floor and as_of <= clock
    local kind, hard, stale = 0, 0, 0
    if usable and as_of <= bound then
      kind = 4
      hard, stale = tags_invalidated(string.sub(value, 69, 68 + number('>I4', value, 65)), number('>I2', value, 3))
    end
    if i <= wanted then
      local limit = limits and number('>d', ARGV[3], limits + 8 * i - 8) or 0
      if not usable or fresh <= now or limit ~= 0 or hard >= as_of or stale >= as_of then
        local h = usable and header(value)
        local keep = h and not h.placeholder and h.error > now and hard < as_of and not (limit > 0 and as_of <= limit)
        local due = not keep or fresh <= now or stale >= as_of or (limit < 0 and as_of <= -limit)
        local busy = h and h.lease > now and h.lease <= now + LONGEST_LEASE and (h.token > 0 or (h.token < 0 and keep))
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
if epoch ~= at_first then
  forget, complete, records, barriers = true, false, {}, {}
  clock = last
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
