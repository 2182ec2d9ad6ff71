import { createClient } from "redis";
import { NAMES, TTL, VALUES } from "../workload.ts";
import type { Peer } from "./peer.ts";

/** Opens `npm:redis`: `GET` and `JSON.parse`. */
export async function openNodeRedis(url: string): Promise<Peer> {
  const redis = createClient({ url });
  await redis.connect();
  const keys = NAMES.map((name) => `node-redis:${name}`);
  return {
    reading: "node-redis get + parse",
    writing: "node-redis stringify + set",
    async read(i) {
      const text = await redis.get(keys[i % keys.length]!);
      return text === null ? undefined : JSON.parse(text);
    },
    write(i) {
      const at = i % keys.length;
      return redis.set(keys[at]!, JSON.stringify(VALUES[at]!), { expiration: { type: "EX", value: TTL } });
    },
    async [Symbol.asyncDispose]() {
      await redis.close();
    },
  };
}
