// bentocache imports ioredis 5 as a peer, which has to be named for Deno to find it.
import "npm:ioredis@5.11.1";
import { BentoCache, bentostore } from "npm:bentocache@1.6.1";
import { memoryDriver } from "npm:bentocache@1.6.1/drivers/memory";
import { redisDriver } from "npm:bentocache@1.6.1/drivers/redis";
import { NAMES, TAGS, TTL, VALUES } from "../workload.ts";
import type { TaggedPeer } from "./peer.ts";

/** Opens bentocache: on Redis, in memory (`memory:`), or with `local` on Redis with copies in memory. */
export async function openBentocache(url: string, options: { local?: boolean } = {}): Promise<TaggedPeer> {
  const memory = url === "memory:";
  let store = bentostore();
  if (memory || options.local) store = store.useL1Layer(memoryDriver({ maxItems: 10_000 }));
  if (!memory) store = store.useL2Layer(redisDriver({ connection: addressOf(url) }));
  const cache = new BentoCache({
    default: "products",
    prefix: "bentocache",
    ttl: `${TTL}s`,
    stores: { products: store },
  });
  await cache.get({ key: "connect" });
  return {
    reading: "bentocache getOrSet",
    writing: "bentocache set",
    invalidating: "bentocache deleteByTag",
    read(i) {
      const at = i % NAMES.length;
      return cache.getOrSet({ key: NAMES[at]!, factory: () => VALUES[at]!, tags: TAGS[at]! });
    },
    write(i) {
      const at = i % NAMES.length;
      return cache.set({ key: NAMES[at]!, value: VALUES[at]!, tags: TAGS[at]! });
    },
    set: (key, value, tags) => cache.set({ key, value, tags }),
    get: (key) => cache.get({ key }),
    invalidateByTag: (tag) => cache.deleteByTag({ tags: [tag] }),
    clear: () => cache.clear(),
    async [Symbol.asyncDispose]() {
      await cache.disconnectAll();
    },
  };
}

/** A URL as ioredis takes it. */
export function addressOf(url: string): { host: string; port: number; username?: string; password?: string } {
  const { hostname, port, username, password } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
}
