import { Script } from "../../redis/script.ts";
import { PRELUDE } from "./ledger_prelude.ts";

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
  local card = redis.call('ZCARD', ledger)
  local patterns = redis.call('ZCOUNT', ledger, '-inf', '(' .. int(-BARRIER))
  -- So many are not of these scripts' making, and to be rid of one after the other they are too many.
  if card > 2 * records + 1000 or patterns > 2000 then return reborn() end
  if card > records then
    local cut = redis.call('ZRANGEBYSCORE', ledger, 1, '+inf', 'WITHSCORES', 'LIMIT',
    card - records + math.floor(records / 4), 1)
    if cut[2] then prune(tonumber(cut[2])) end
  end
  if patterns > 1000 then
    -- The oldest barriers have the highest scores.
    local cut = redis.call('ZREVRANGEBYSCORE', ledger, '(' .. int(-BARRIER), '-inf', 'WITHSCORES', 'LIMIT', 250, 1)
    if cut[2] then prune(-cut[2] - BARRIER) end
  end
end
`;

/**
 * Records the invalidation of tags, or of a pattern.
 *
 * KEYS: 1 ledger. ARGV: 1 nonce · 2 check the run · 3 kind: "h:", "s:" or "p:" · 4 most records kept · 5 … tags or
 * patterns. Reply: the clock of the invalidation.
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
for i = 5, #ARGV do ring(string.sub(ARGV[3], 1, 1), struct.pack('>d', at) .. ARGV[i]) end
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
  local h = header(ask('GETRANGE', KEYS[i], 0, 67))
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
export const SHOW_PATTERN: Script = new Script(
  PRELUDE + `
local member = 'p:' .. ARGV[4]
local score = redis.call('ZSCORE', ledger, member)
if not score or -score - BARRIER ~= tonumber(ARGV[3]) then return 0 end
return redis.call('ZREM', ledger, member)
`,
);
