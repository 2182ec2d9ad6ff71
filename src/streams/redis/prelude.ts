/**
 * What the Lua scripts of streams have in common.
 *
 * @module
 */
/** The time, in ms, and in µs. */
export const TIME: string = `
local us = tonumber(ARGV[1])
if not us then
  local time = redis.call('TIME')
  us = time[1] * 1000000 + time[2]
end
local now = math.floor(us / 1000)
`;

/** Whose a place is, if anybody's. */
export const OWNER: string = `
local function owner(place)
  local held = redis.call('HGET', KEYS[2], place)
  local till, who = string.match(held or '', '^(%d+) (.*)$')
  return who, tonumber(till)
end
local function hold(place, till, who) redis.call('HSET', KEYS[2], place, string.format('%.0f %s', till, who)) end
`;

/** A word to those who wait. */
export const WAKE: string = `
local function wake(key, channel, word)
  if redis.call('DEL', key) == 1 then redis.call('PUBLISH', channel, word) end
end
`;

/** A field of a message. */
export const FIELD: string = `
local function field(fields, name)
  for i = 1, #fields, 2 do if fields[i] == name then return fields[i + 1] end end
  return nil
end
`;

/** Milliseconds that it is remembered that somebody waits. */
export const WAITS: number = 60_000;
