import { decoder } from "../../util/utf8.ts";
import type { RedisCommand } from "../client.ts";

/** Commands whose first argument is no key, as far as apps send them. */
const NO_KEY: ReadonlySet<string> = new Set([
  ..."ACL ASKING AUTH CLIENT CLUSTER COMMAND CONFIG DBSIZE DEBUG DISCARD ECHO EXEC FLUSHALL FLUSHDB FUNCTION".split(
    " ",
  ),
  ..."HELLO INFO KEYS LASTSAVE LATENCY LOLWUT MEMORY MODULE MONITOR MULTI PING PUBLISH PUBSUB RANDOMKEY".split(" "),
  ..."READONLY READWRITE REPLICAOF ROLE SAVE SCAN SCRIPT SELECT SLOWLOG SWAPDB TIME WAIT WAITAOF".split(" "),
]);
/** Commands whose second argument says how many keys follow. */
const COUNTED: ReadonlySet<string> = new Set("EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO".split(" "));

/**
 * A key of a command, by which it finds its node; nothing for one without keys. Where the key of a rare command is
 * elsewhere the node that is asked says where to go.
 */
export function keyOf({ name, args, route }: RedisCommand): string | undefined {
  if (route !== undefined) return route;
  const upper = name.toUpperCase();
  if (NO_KEY.has(upper)) return undefined;
  const key = COUNTED.has(upper) ? (Number(args[1]) > 0 ? args[2] : undefined) : args[0];
  return key instanceof Uint8Array ? decoder.decode(key) : key === undefined ? undefined : String(key);
}
