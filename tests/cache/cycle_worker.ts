/**
 * A process of which the loader of one key asks for another. Told `url`, its key, the other one, and how long it waits
 * there; says when its loader runs, goes on when it is told to, and says what came of it.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { connect } from "../../mod.ts";

const [url, own, other, wait] = Deno.args as [string, string, string, string];
const options = wait === "default" ? {} : { waitTimeout: wait };
await using redis = await connect({ url, namespace: "cycle" });

async function load(key: string): Promise<string> {
  if (key !== own) return `${key} by ${own}`;
  console.log(JSON.stringify("loading"));
  await Deno.stdin.read(new Uint8Array(100));
  return `${key} of ${await redis.cache.getOrSet(other, () => load(other), options)}`;
}

console.log(JSON.stringify(await redis.cache.getOrSet(own, () => load(own)).catch(String)));
