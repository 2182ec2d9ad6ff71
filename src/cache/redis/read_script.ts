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
  /** The most bytes of an entry; what is longer is none. */
  readonly longest: number;
  /** The leases that are wanted for the first keys, if any are. */
  readonly leases: LeaseRequest | undefined;
}

/** The leases that a caller of {@linkcode READ} wants. */
export interface LeaseRequest {
  /** Their token. */
  readonly token: number;
  /** How many milliseconds each lasts. */
  readonly lease: number;
  /** How many it lasts until it is first extended. */
  readonly proof: number;
  /** Whether they are taken also from who holds them. */
  readonly steal: boolean;
  /** For each key, what its caller knows of the entry that the server does not. */
  readonly keys: readonly Known[];
}

/** What a caller knows of an entry. */
export interface Known {
  /** What is as old as this, or older, is invalid. */
  readonly unusable: number;
  /** What is as old as this, or older, is stale. */
  readonly refresh: number;
}

/**
 * Encodes the third argument: f64 epoch, clock seen, clock of unknown tags, token, lease (negative: taken also from who
 * holds it), proof; u16 number of keys that want a lease; u32 most bytes of an entry; then nothing, or for each of
 * those keys f64 n > 0 when what is as old as n is invalid, n < 0 when what is as old as -n is stale, else 0.
 */
export function encodeRequest({ epoch, seen, floor, longest, leases }: ReadRequest): Uint8Array {
  const keys = leases?.keys ?? [];
  const limits = keys.some(({ unusable, refresh }) => unusable !== 0 || refresh !== 0) ? keys : [];
  const bytes = new Uint8Array(54 + 8 * limits.length);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, epoch);
  view.setFloat64(8, seen);
  view.setFloat64(16, floor);
  if (leases) {
    view.setFloat64(24, leases.token);
    view.setFloat64(32, leases.steal ? -leases.lease : leases.lease);
    view.setFloat64(40, leases.proof);
    view.setUint16(48, keys.length);
  }
  view.setUint32(50, longest);
  for (const [i, { unusable, refresh }] of limits.entries()) {
    view.setFloat64(54 + 8 * i, unusable > 0 ? unusable : -refresh);
  }
  return bytes;
}

/** What the script notes of a key beside its entry. The numbers are those in the script. */
export const NOTE = {
  /** The lease was granted. */
  granted: 2,
  /** The tags were looked up: the clocks of the newest hard and stale invalidation come with it. */
  lookedUp: 4,
  /** The entry did not fit into the reply; its length comes in place of the first clock. */
  askAgain: 8,
  /** What is there is too long to be an entry. */
  tooLong: 16,
} as const;

/**
 * Reads entries, the news of the ledger and, for the first keys, grants leases where there is nothing fresh; without
 * keys, the news alone. Answers one string, since one reply is what clients parse fastest. What the caller can judge by
 * itself is left to it.
 *
 * KEYS: entries …, ledger.
 * ARGV: 1 nonce · 2 check the run · 3 what the caller knows and wants, in one piece because each argument costs as much
 * as a key ({@linkcode encodeRequest}).
 *
 * Reply: a MessagePack array of the entries (false where there is none) and, last, the news. The news, big-endian: f64
 * epoch, clock, now, last clock, newest invalidation, floor; u8 1 = forget what you know, 2 = and the records are all
 * there are; u16 records, u16 barriers, u16 notes; each record and barrier f64 clock, u16 length, member; each note u16
 * index, u8 kind ({@linkcode NOTE}, summed), f64 hard, f64 stale.
 */
export const READ: Script = new Script(
  PRELUDE + `
local number, byte = struct.unpack, string.byte
local known, seen, unknown, token, lease, proof, wanted, longest, limits = number('>ddddddI2I4', ARGV[3])
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
  -- Where nothing was ever invalidated, nothing is unknown.
  complete = newest == 0
  unknown = complete and floor or last
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

-- What carries a lease where there is no entry: the same for all that are granted here.
local carrier, carried
local function grant(key, keep)
  local ok
  if keep then
    ok = redis.pcall('SETRANGE', key, 48, struct.pack('>dd', token, now + proof))
    if type(ok) == 'number' then redis.call('PEXPIRE', key, lease, 'GT') end
  else
    if carried ~= epoch then
      carried, carrier = epoch,
        struct.pack('>BBI2I4dddddddI4', 1, 128, 0, 0, epoch, math.max(us, last + 1), 0, 0, 0, token, now + proof, 0)
    end
    ok = redis.pcall('SET', key, carrier, 'PX', lease)
  end
  -- A full server refuses the lease, as does one whose user may not write; the caller then loads without one.
  if type(ok) == 'table' and ok.err then return 0 end
  granted = true
  return 2
end

local count = #KEYS - 1
local values, too_long = {}, nil
-- What does not fit into a reply that a slow line carries in time is asked for again; the first value always does.
local ROOM = 262144
local room, missing = ROOM, false
for i = 1, count do
  local value = 0
  if not missing then
    -- No more of it than an entry may have; what has another type is none.
    value = redis.pcall('GETRANGE', KEYS[i], 0, longest)
    if type(value) ~= 'string' or (value == '' and redis.call('EXISTS', KEYS[i]) == 0) then
      refuse(value, 'GETRANGE', KEYS[i], 0, longest)
      value = false
    elseif #value > longest then
      too_long = too_long or {}
      value, too_long[i] = false, true
    elseif room < ROOM and #value > room then
      value, missing = 0, true
    else
      room = room - #value
    end
  end
  values[i] = value
end

local notes, n = {}, 0
local bound = math.min(unknown, newest)
for i = 1, (bound > 0 or missing or too_long) and count or wanted do
  local value = values[i]
  local long = too_long and too_long[i]
  if value == 0 then
    local length = ask('STRLEN', KEYS[i])
    values[i], n = false, n + 1
    notes[n] = struct.pack('>I2Bdd', i - 1, 8, type(length) == 'number' and length or 0, 0)
  elseif value or long or i <= wanted then
    local readable = value and #value >= 68 and byte(value) == 1
    local of, as_of, fresh = 0, 0, 0
    if readable then of, as_of, fresh = number('>ddd', value, 9) end
    local usable = readable and of == epoch and as_of > floor and as_of <= clock
    local kind, hard, stale = long and 16 or 0, 0, 0
    if usable and as_of <= bound then
      kind = kind + 4
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
local news = { struct.pack('>ddddddBI2I2I2', epoch, clock, now, last, newest, floor,
  complete and 2 or forget and 1 or 0,
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
