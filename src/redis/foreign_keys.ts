import { RedisError } from "../errors.ts";
import { decoder } from "../util/utf8.ts";
import type { Batch } from "./batch.ts";
import type { RedisReply } from "./client.ts";

/**
 * Lua for keys that somebody else may have filled.
 *
 * `own(command, key, …)` runs a command on a key of ours; what is there in another type is removed first. `answer(…)`
 * is what the script returns: an array of its answer and of the server's words where such a key was removed, for
 * {@linkcode withoutForeign}.
 */
export const OWN: string = `
local foreign
local function failed(reply) return type(reply) == 'table' and reply.err ~= nil end
local function own(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if not failed(reply) then return reply end
  if string.find(reply.err, '^WRONGTYPE') then
    foreign = reply.err
    redis.call('UNLINK', key)
  end
  return redis.call(command, key, ...)
end
local function answer(reply) return foreign and { reply, foreign } or reply end
`;

/**
 * What a script answers, without what it tells of keys that somebody else has filled; that is told as a refusal.
 *
 * @param batch Where it ran.
 * @param operation What was attempted.
 * @param reply Its reply, whose second part is text only where there was such a key.
 * @returns The answer.
 */
export function withoutForeign(batch: Batch, operation: string, reply: RedisReply): RedisReply {
  if (!Array.isArray(reply) || reply.length !== 2) return reply;
  const [answer = null, words] = reply;
  if (!(words instanceof Uint8Array)) return reply;
  batch.diagnosis.refused(operation, new RedisError(decoder.decode(words)));
  return answer;
}
