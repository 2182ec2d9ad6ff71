/**
 * The Lua scripts for the groups of a stream. What the keys are, `message_scripts.ts` says.
 *
 * @module
 */
import { Script } from "../../redis/script.ts";
import { ASK } from "../../redis/script_refusals.ts";
import { SUSPECT } from "../store.ts";
import { FIELD, OWNER, TIME, WAITS, WAKE } from "./prelude.ts";

/** The number of a message, unless somebody else has written one that is none. */
const NUMBER = `
local function numberOf(text)
  return string.match(text or '', '^%d+$') and #text < 16 and tonumber(text) or nil
end
`;

/** Messages that are scanned in one call at most, for one whose key is free. */
const SCANNED = 1000;

/**
 * Hands out messages.
 *
 * KEYS[1]: the stream. KEYS[2]: the places. KEYS[3]: the keys. KEYS[4]: who waits. KEYS[5]: the number.
 *
 * ARGV: the time in µs for tests, or empty · group · place · owner · lease (ms) · wanted · after which id · where a
 * group begins, or empty: only what is pending · most pending · channel · ids in hand, with spaces around · `1` if what
 * is pending there was counted for this owner already, by a call whose answer was lost · `1` if the owner holds the
 * place and has messages in hand: one that nobody holds was another's meanwhile.
 *
 * Replies with whether the place is held, whether the group was made, how many were dropped and missed, whether there
 * is nothing more, whether too many are pending, up to where all is in hand, and the messages: id, attempt, fields.
 */
export const TAKE: Script = new Script(`${ASK}
${TIME}${OWNER}${WAKE}${FIELD}${NUMBER}
local stream, group, place, me = KEYS[1], ARGV[2], ARGV[3], ARGV[4]
local wanted, after, from = tonumber(ARGV[6]), ARGV[7], ARGV[8]
local who = owner(place)
if (who and who ~= me) or (not who and (from == '' or ARGV[13] == '1')) then return { 0, 0, 0, 0, 1, 0, after, {} } end
local made, dropped, missed, empty, full = 0, 0, 0, 0, 0
local pending = ask('XPENDING', stream, group, '(' .. after, '+', wanted, place)
if pending.err then
  if not string.find(pending.err, 'NOGROUP') then return pending end
  if from == '' then return { 0, 0, 0, 0, 1, 0, after, {} } end
  redis.call('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM')
  redis.call('DEL', KEYS[2], KEYS[3])
  made, pending = 1, {}
  -- What is missing is told from here on, although nothing may be read before it is trimmed.
  local first = from ~= '$' and redis.call('XRANGE', stream, '(' .. from, '+', 'COUNT', 1)[1]
  local begin = first and numberOf(field(first[2], 'n'))
  if begin then begin = begin - 1 end
  if not first then begin = numberOf(redis.call('MGET', KEYS[5])[1] or '0') end
  if begin then redis.call('HSET', KEYS[2], '>', string.format('%.0f', begin)) end
end
hold(place, now + tonumber(ARGV[5]), me)
local out, gone = {}, {}
local cut = false
for _, entry in ipairs(pending) do
  local id, attempt = entry[1], entry[4] + 1
  if ARGV[12] == '1' and entry[4] > 0 then attempt = entry[4] end
  -- What was in hand when consumers died is handed out by itself: it may be what kills them.
  local alone = from == '' and attempt >= ${SUSPECT}
  cut = alone and #out > 0
  if cut then break end
  after = id
  if not string.find(ARGV[11], ' ' .. id .. ' ', 1, true) then
    local found = redis.call('XRANGE', stream, id, id)[1]
    if found then
      redis.call('XCLAIM', stream, group, place, 0, id, 'RETRYCOUNT', attempt, 'JUSTID')
      out[#out + 1] = { id, attempt, found[2] }
      cut = alone
      if cut then break end
    else
      redis.call('XACK', stream, group, id)
      gone[id] = true
      dropped = dropped + 1
    end
  end
end
if dropped > 0 then
  local keys = redis.call('HGETALL', KEYS[3])
  for i = 1, #keys, 2 do if gone[keys[i + 1]] then redis.call('HDEL', KEYS[3], keys[i]) end end
end
local parked = false
if #pending < wanted and from == '' and not cut then empty = 1 end
if #pending < wanted and from ~= '' then
  local room = tonumber(ARGV[9]) - redis.call('XPENDING', stream, group)[1]
  local scanned, last = 0, numberOf(redis.call('HGET', KEYS[2], '>') or '')
  local before = last
  if room <= 0 then full = 1 end
  while #out < wanted and room > 0 and scanned < ${SCANNED} do
    local count = math.min(wanted - #out, room)
    local reply = redis.call('XREADGROUP', 'GROUP', group, place, 'COUNT', count, 'STREAMS', stream, '>')
    local entries = reply and reply[1] and reply[1][2] or {}
    for _, entry in ipairs(entries) do
      local id, fields = entry[1], entry[2]
      local key, number, only = field(fields, 'k'), numberOf(field(fields, 'n')), field(fields, 'g')
      if number then
        if last and number > last + 1 then missed = missed + number - last - 1 end
        if not last or number > last then last = number end
      end
      scanned, room = scanned + 1, room - 1
      local with
      if only and only ~= group then
        redis.call('XACK', stream, group, id)
      else
        if key then
          local others = redis.call('HGET', KEYS[3], key)
          local other = others and redis.call('XPENDING', stream, group, others, others, 1)[1]
          if other and other[2] ~= place then with = other[2] end
          redis.call('HSET', KEYS[3], key, id)
        end
        if with then
          redis.call('XCLAIM', stream, group, with, 0, id, 'RETRYCOUNT', 0, 'JUSTID')
          parked = true
        else
          out[#out + 1] = { id, 1, fields }
          after = id
        end
      end
    end
    if #entries < count then
      empty = 1
      break
    end
  end
  if last ~= before then redis.call('HSET', KEYS[2], '>', string.format('%.0f', last)) end
end
if parked then wake(KEYS[4], ARGV[10], '+') end
if empty == 1 and #out < wanted then redis.call('PSETEX', KEYS[4], ${WAITS}, '1') end
return { 1, made, dropped, missed, empty, full, after, out }
`);

/**
 * Is done with messages.
 *
 * KEYS[1]: the stream. KEYS[2]: the places. KEYS[3]: the keys.
 * ARGV: group · place · owner · for each message its id and key, or empty.
 *
 * Replies for each whether it was pending; with nothing where the place is another's.
 */
export const ACK: Script = new Script(`
${OWNER}
local who = owner(ARGV[2])
if who and who ~= ARGV[3] then return false end
local done = {}
for i = 4, #ARGV, 2 do
  local id, key = ARGV[i], ARGV[i + 1]
  done[#done + 1] = redis.call('XACK', KEYS[1], ARGV[1], id)
  if key ~= '' and redis.call('HGET', KEYS[3], key) == id then redis.call('HDEL', KEYS[3], key) end
end
return done
`);

/**
 * Counts an attempt.
 *
 * KEYS[1]: the stream. KEYS[2]: the places. ARGV: group · place · owner · id · attempt.
 *
 * Replies whether the message is pending there; with nothing where the place is another's.
 */
export const RETRY: Script = new Script(`${ASK}
${OWNER}
if owner(ARGV[2]) ~= ARGV[3] then return false end
local pending = ask('XPENDING', KEYS[1], ARGV[1], ARGV[4], ARGV[4], 1, ARGV[2])
if pending.err or not pending[1] then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[4], 'RETRYCOUNT', ARGV[5], 'JUSTID')
return 1
`);

/**
 * Gives a message up.
 *
 * KEYS[1]: the stream. KEYS[2]: the places. KEYS[3]: the keys. KEYS[4]: what was given up.
 *
 * ARGV: the time in µs for tests, or empty · group · place · owner · id · key, or empty · most that are kept · fields
 * and their values.
 *
 * Replies whether it was pending.
 */
export const BURY: Script = new Script(`${ASK}
${TIME}${OWNER}
local who = owner(ARGV[3])
if who and who ~= ARGV[4] then return 0 end
local pending = ask('XPENDING', KEYS[1], ARGV[2], ARGV[5], ARGV[5], 1)
if pending.err and not string.find(pending.err, 'NOGROUP') then return pending end
if pending.err or not pending[1] then return 0 end
-- It is kept before it is let go: the server may refuse to keep it.
local add = { KEYS[4], 'MAXLEN', '~', ARGV[7], '*', 'i', ARGV[5], 'g', ARGV[2], 't', string.format('%.0f', now) }
for i = 8, #ARGV do add[#add + 1] = ARGV[i] end
redis.call('XADD', unpack(add))
redis.call('XACK', KEYS[1], ARGV[2], ARGV[5])
if ARGV[6] ~= '' and redis.call('HGET', KEYS[3], ARGV[6]) == ARGV[5] then redis.call('HDEL', KEYS[3], ARGV[6]) end
return 1
`);

/**
 * Keeps places alive, and takes over one whose time is over.
 *
 * KEYS[1]: the stream. KEYS[2]: the places. ARGV: the time in µs for tests, or empty · group · owner · lease (ms) ·
 * places.
 *
 * Replies with whether each is still held, and with the name of one that was taken over.
 */
export const BEAT: Script = new Script(`${ASK}
${TIME}${OWNER}
local stream, group, me, lease = KEYS[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local held, own = {}, {}
for i = 5, #ARGV do
  own[ARGV[i]] = true
  local mine = owner(ARGV[i]) == me
  if mine then hold(ARGV[i], now + lease, me) end
  held[#held + 1] = mine and 1 or 0
end
local function left(place)
  local pending = ask('XPENDING', stream, group, '-', '+', 1, place)
  if not pending.err and pending[1] then return true end
  redis.call('HDEL', KEYS[2], place)
  if not pending.err then redis.call('XGROUP', 'DELCONSUMER', stream, group, place) end
  return false
end
local places = redis.call('HGETALL', KEYS[2])
for i = 1, #places, 2 do
  local place = places[i]
  local till = tonumber(string.match(places[i + 1], '^(%d+) '))
  if place ~= '>' and not own[place] and (not till or till <= now) and left(place) then
    hold(place, now + lease, me)
    return { held, place }
  end
end
-- Consumers whose place was lost, or that somebody else has made.
local consumers = ask('XINFO', 'CONSUMERS', stream, group)
if consumers.err then return { held } end
for _, consumer in ipairs(consumers) do
  local got = {}
  for i = 1, #consumer, 2 do got[consumer[i]] = consumer[i + 1] end
  local name, pending = got['name'], got['pending']
  if pending > 0 and got['idle'] >= lease and not own[name] and not redis.call('HGET', KEYS[2], name) then
    hold(name, now + lease, me)
    return { held, name }
  end
end
return { held }
`);

/**
 * Gives a place back.
 *
 * KEYS[1]: the stream. KEYS[2]: the places. KEYS[3]: who waits.
 *
 * ARGV: group · place · owner · channel · `1` if only where nothing is pending · for each message that nobody has
 * begun with its id and the attempts before.
 *
 * Replies whether the place is gone, or free.
 */
export const LEAVE: Script = new Script(`${ASK}
${OWNER}
local group, place = ARGV[1], ARGV[2]
if owner(place) ~= ARGV[3] then return 1 end
local pending = ask('XPENDING', KEYS[1], group, '-', '+', 1, place)
if pending.err or not pending[1] then
  redis.call('HDEL', KEYS[2], place)
  if not pending.err then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, place) end
  return 1
end
if ARGV[5] == '1' then return 0 end
for i = 6, #ARGV, 2 do
  redis.call('XCLAIM', KEYS[1], group, place, 0, ARGV[i], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
end
hold(place, 0, ARGV[3])
redis.call('DEL', KEYS[3])
redis.call('PUBLISH', ARGV[4], '-')
return 1
`);
