/**
 * The Lua scripts of locks and semaphores.
 *
 * | key | what |
 * |---|---|
 * | `lock:` name | hash: for each owner the end of its time (ms) · fencing number · owner, with a space between |
 * | `lockr:` name | when the job of this name ran last (ms), or what it did |
 * | `lockq:` name | sorted set: the owners in line, by when they came |
 *
 * An owner is `instance|number|ttl`. Both keys end with the last of those in them, so none is left by who dies.
 *
 * The fencing number is the time of the server in µs, and always more than the last that is known: to the key, to the
 * process that asks (its `floor`), and within the script. So it grows after a restart that lost everything, too.
 *
 * @module
 */
import { OWN } from "../../redis/foreign_keys.ts";
import { Script } from "../../redis/script.ts";
import { ASK } from "../../redis/script_refusals.ts";

/** Milliseconds that a lock lasts at most, by a clock that was set back since by less than its `ttl`. */
const LONGEST = 2 * 86_400_000;
/** Microseconds that no number is ahead of the clock: ten years. */
const AHEAD = 3e14;

/** What every script of locks begins with: the time, and what is held. */
const PRELUDE = `
local format, match, max = string.format, string.match, math.max
local us = tonumber(ARGV[1])
if not us then
  local time = redis.call('TIME')
  us = time[1] * 1000000 + time[2]
end
local now = math.floor(us / 1000)
local function kept(till, token, owner) return format('%.0f %.0f %s', till, token, owner) end
-- Nothing of what somebody else has written: no lock lasts longer than a day, and no number is years ahead.
local function read(value)
  local till, token, owner = match(type(value) == 'string' and value or '', '^(%d+) (%d+) (.*)$')
  till, token = tonumber(till), tonumber(token)
  if not till or till > now + ${LONGEST} or token > us + ${AHEAD} then return nil end
  return till, token, owner
end
`;

/**
 * Takes a place or leaves it; places that are free go to those in line, who are told: owner, fencing number, and when
 * (ms), with a space between.
 *
 * KEYS[1]: who holds it. KEYS[2]: who is in line.
 *
 * ARGV: the time in µs for tests, or empty · `take` or `leave` · the owner · ttl (ms) · permits · wait (ms, 0 = does
 * not stand in line) · the highest fencing number that the process knows · what channels begin with · `1` where a
 * message that nobody hears says that nobody waits there.
 *
 * Replies with 1 and the fencing number, or 0, the milliseconds until a place is free if nobody extends it, and the
 * time (ms); for `leave`, whether there was a place, and 0.
 */
export const TAKE: Script = new Script(`${ASK}
local me = ARGV[3]
if ARGV[2] == 'leave' and redis.call('EXISTS', KEYS[2]) == 0 then
  local gone = ask('HDEL', KEYS[1], me)
  return { type(gone) == 'number' and gone or 0, 0 }
end
${PRELUDE}
local ttl = tonumber(ARGV[4])
local last = max(us - 1, tonumber(ARGV[7]))
if ARGV[2] == 'take' and redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 then
  redis.call('HSET', KEYS[1], me, kept(now + ttl, last + 1, me))
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return { 1, last + 1 }
end

${OWN}
local permits, wait = tonumber(ARGV[5]), tonumber(ARGV[6])
local held, count, changed, odd = {}, 0, false, false
for _, value in ipairs(own('HVALS', KEYS[1])) do
  local till, token, owner = read(value)
  if not till then
    odd = true
  else
    if token > last then last = token end
    if till > now then
      held[owner] = { till, token }
      count = count + 1
    else
      redis.call('HDEL', KEYS[1], owner)
    end
  end
end
-- What somebody else has put beside those who hold it goes.
if odd then
  redis.call('UNLINK', KEYS[1])
  for owner, place in pairs(held) do redis.call('HSET', KEYS[1], owner, kept(place[1], place[2], owner)) end
  changed = true
end

local function hold(owner, span, token)
  redis.call('HSET', KEYS[1], owner, kept(now + span, token, owner))
  if not held[owner] then count = count + 1 end
  held[owner] = { now + span, token }
  changed = true
end
local function give(owner, span)
  last = last + 1
  hold(owner, span, last)
end

local had = held[me] ~= nil
if ARGV[2] == 'leave' then
  if had then
    redis.call('HDEL', KEYS[1], me)
    held[me] = nil
    count = count - 1
  else
    own('ZREM', KEYS[2], me)
  end
elseif had then
  hold(me, ttl, held[me][2])
end

for _ = 1, permits + 1000 do -- so many have died, and those behind are passed over by the next
  local first = count < permits and own('ZRANGE', KEYS[2], '0', '0')[1]
  if not first then break end
  local instance, number, span = match(first, '^([^|]*)|(%d+)|(%d+)$')
  span = tonumber(span)
  redis.call('ZREM', KEYS[2], first)
  if span and span <= ${LONGEST} then give(first, span) end
  if held[first] and first ~= me then
    local message = format('%s %.0f %.0f', first, last, now)
    if redis.call('PUBLISH', ARGV[8] .. instance, message) == 0 and ARGV[9] == '1' then
      redis.call('HDEL', KEYS[1], first)
      held[first] = nil
      count = count - 1
    end
  end
end

if ARGV[2] == 'take' and not held[me] then
  if count < permits then
    give(me, ttl)
  elseif wait > 0 then
    local newest = tonumber(own('ZRANGE', KEYS[2], '-1', '-1', 'WITHSCORES')[2])
    if newest and newest > us + ${AHEAD} then newest = us end
    local place = format('%.0f', max(us, newest and newest + 1 or 0))
    if redis.call('ZADD', KEYS[2], 'NX', place, me) == 1 then
      if newest then
        redis.call('PEXPIRE', KEYS[2], format('%.0f', wait + ttl), 'GT')
      else
        redis.call('PEXPIRE', KEYS[2], format('%.0f', wait + ttl))
      end
    end
  end
end

local first, latest
for _, place in pairs(held) do
  if not first or place[1] < first then first = place[1] end
  if not latest or place[1] > latest then latest = place[1] end
end
if latest and changed then redis.call('PEXPIRE', KEYS[1], format('%.0f', latest - now)) end
if ARGV[2] == 'leave' then return answer({ had and 1 or 0, 0 }) end
if held[me] then return answer({ 1, held[me][2] }) end
return answer({ 0, first and first - now or 0, now })
`);

/**
 * Extends what is still held.
 *
 * KEYS: who holds what. ARGV: the time in µs for tests, or empty, and for each key the owner and the ttl (ms).
 *
 * Replies for each whether it was held. A key that ends later is not made to end sooner; the first write is one that a
 * full server takes.
 */
export const EXTEND: Script = new Script(`${ASK}${PRELUDE}
local done = {}
for i, key in ipairs(KEYS) do
  local owner, ttl = ARGV[2 * i], tonumber(ARGV[2 * i + 1])
  local value = ask('HGET', key, owner) -- one key that somebody else has filled ends no other lock
  local _, token = read(value)
  if token then
    redis.call('PEXPIRE', key, format('%.0f', ttl), 'GT')
    redis.call('HSET', key, owner, kept(now + ttl, token, owner))
  end
  done[i] = token and 1 or 0
end
return done
`);

/**
 * Keeps when a job ran last, if its owner still holds the lock.
 *
 * KEYS[1]: who holds it. KEYS[2]: when it ran. ARGV: the owner · that · for how long it is kept (ms).
 * Replies whether it was kept.
 */
export const KEEP_RUN: Script = new Script(`${ASK}
if type(ask('HGET', KEYS[1], ARGV[1])) ~= 'string' then return 0 end
redis.call('PSETEX', KEYS[2], ARGV[3], ARGV[2])
return 1
`);

/**
 * Keeps what a job did, if its owner still holds the lock, or lost it and nobody else has it or did it: what is done
 * is done.
 *
 * KEYS[1]: who holds it. KEYS[2]: what it did. ARGV: the owner · that · for how long it is kept (ms).
 * Replies whether it was kept.
 */
export const KEEP_DONE: Script = new Script(`${ASK}
local held = type(ask('HGET', KEYS[1], ARGV[1])) == 'string'
if not held and redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end
redis.call('PSETEX', KEYS[2], ARGV[3], ARGV[2])
return 1
`);
