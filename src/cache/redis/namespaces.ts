import { RedisError } from "../../errors.ts";
import { escapeGlob } from "../../util/glob.ts";
import { hashSlot } from "../../redis/cluster/hash_slot.ts";
import type { Batch } from "../../redis/batch.ts";
import type { RedisArgument } from "../../redis/client.ts";
import { decoder } from "../../util/utf8.ts";

/** Keys that the server looks at per SCAN call. */
const SCAN_COUNT = 1000;
const OPERATION = "look for namespaces";

/**
 * Finds the namespaces below another: each that was used and not dropped has a ledger.
 *
 * @param batch The commands.
 * @param namespace The one above.
 * @returns Their names, without that of the one above, in order.
 */
export async function findNamespaces(batch: Batch, namespace: string): Promise<string[]> {
  const start = `{${namespace}.`;
  // Behind the name of a cluster's bucket comes its number.
  const ledger = /^(.+?)(?::\d+)?\}:ledger$/s;
  const names = new Set<string>();
  for (const route of await routes(batch)) {
    let cursor: RedisArgument = 0;
    do {
      const args = [cursor, "MATCH", `${escapeGlob(start)}*}:ledger`, "COUNT", SCAN_COUNT, "TYPE", "zset"];
      const reply = await batch.send("SCAN", args, { operation: OPERATION, route });
      if (!Array.isArray(reply) || !Array.isArray(reply[1])) throw new RedisError("ERR the reply to SCAN is no pair");
      cursor = decoder.decode(reply[0] as Uint8Array);
      for (const key of reply[1]) {
        const name = ledger.exec(decoder.decode(key as Uint8Array).slice(start.length))?.[1];
        if (name !== undefined) names.add(name);
      }
    } while (cursor !== "0");
  }
  return [...names].sort();
}

/** One key for each server that has keys, so that all of them can be asked. */
async function routes(batch: Batch): Promise<string[]> {
  if (!batch.client.cluster) return ["namespaces"];
  const reply = await batch.send("CLUSTER", ["NODES"], { operation: OPERATION, route: "namespaces", text: true });
  const starts: number[] = [];
  for (const line of String(reply).split("\n")) {
    const [, , flags, , , , , , first] = line.split(" ");
    const slot = Number(first?.split("-")[0]);
    if (flags?.includes("master") && Number.isInteger(slot)) starts.push(slot);
  }
  return starts.map(keyOf);
}

/** A key in a slot. */
function keyOf(slot: number): string {
  for (let i = 0;; i++) if (hashSlot(`{${i}}`) === slot) return `{${i}}`;
}
