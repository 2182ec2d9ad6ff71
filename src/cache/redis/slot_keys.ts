import { RedisError } from "../../errors.ts";
import type { Batch } from "../../redis/batch.ts";
import type { RedisArgument, RedisReply } from "../../redis/client.ts";
import { escapeGlob } from "../../util/glob.ts";
import { decoder } from "../../util/utf8.ts";

/** Keys that the server looks at per SCAN call. */
const SCAN_COUNT = 1000;

/** Walks over the keys in Redis that begin with a prefix and match a glob; `route` is a key of the server. */
export async function* scanKeys(
  batch: Batch,
  prefix: string,
  glob: string,
  route: string,
): AsyncGenerator<Uint8Array[]> {
  const match = escapeGlob(prefix) + glob;
  let cursor: RedisArgument = 0;
  do {
    const reply: RedisReply = await batch.send("SCAN", [cursor, "MATCH", match, "COUNT", SCAN_COUNT], {
      operation: "look for cache keys",
      route,
    });
    if (!Array.isArray(reply) || !Array.isArray(reply[1])) throw new RedisError("ERR the reply to SCAN is no pair");
    cursor = decoder.decode(reply[0] as Uint8Array);
    yield reply[1] as Uint8Array[];
  } while (cursor !== "0");
}

/**
 * Which server has the keys of the slot of a key, if one has all of them. Where it is the same before and after, a scan
 * has seen all keys: those of a slot that is on its way from one server of a cluster to another are partly here, partly
 * there.
 */
export async function ownerNode(batch: Batch, key: string): Promise<string | undefined> {
  if (!batch.client.cluster) return "here";
  const options = { operation: "look for the server of a slot", route: key, text: true };
  try {
    // A server that does not have the slot says so when it is asked for a key.
    const [nodes] = await Promise.all([
      batch.send("CLUSTER", ["NODES"], options),
      batch.send("EXISTS", [key], options),
    ]);
    const [id, , , , , , , , ...slots] = String(nodes).split("\n").map((line) => line.split(" "))
      .find((fields) => fields[2]?.includes("myself")) ?? [];
    return slots.some((slot) => slot.startsWith("[")) ? undefined : id;
  } catch {
    return undefined; // it is not there, or does not tell
  }
}
