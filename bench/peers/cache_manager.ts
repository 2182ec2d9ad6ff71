import KeyvRedis from "npm:@keyv/redis@5.1.6";
import { createCache } from "npm:cache-manager@7.2.9";
import { Keyv } from "npm:keyv@5.6.0";
import { NAMES, TTL, VALUES } from "../workload.ts";
import type { Peer } from "./peer.ts";

/** Opens cache-manager on keyv's Redis store. It has no tags. */
export async function openCacheManager(url: string): Promise<Peer> {
  const cache = createCache({ stores: [new Keyv({ store: new KeyvRedis(url) })] });
  await cache.get("connect");
  return {
    reading: "cache-manager get",
    writing: "cache-manager set",
    read: (i) => cache.get(NAMES[i % NAMES.length]!),
    write(i) {
      const at = i % NAMES.length;
      return cache.set(NAMES[at]!, VALUES[at]!, TTL * 1000);
    },
    async [Symbol.asyncDispose]() {
      await cache.disconnect();
    },
  };
}
