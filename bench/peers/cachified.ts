import { type Cache, type CacheEntry, cachified } from "npm:@epic-web/cachified@5.6.3";
import { createClient } from "redis";
import { NAMES, TTL, VALUES } from "../workload.ts";
import type { Peer } from "./peer.ts";

/** Opens cachified on node-redis, with the adapter that its README shows. It has no tags. */
export async function openCachified(url: string): Promise<Peer> {
  const redis = createClient({ url });
  await redis.connect();
  const cache: Cache = {
    name: "redis",
    async get(key) {
      const text = await redis.get(key);
      return text === null ? undefined : JSON.parse(text) as CacheEntry;
    },
    set: (key, value) => redis.set(key, JSON.stringify(value), { expiration: { type: "EX", value: TTL } }),
    delete: (key) => redis.del(key),
  };
  const keys = NAMES.map((name) => `cachified:${name}`);
  const read = (at: number, forceFresh: boolean) =>
    cachified({ key: keys[at]!, cache, ttl: TTL * 1000, forceFresh, getFreshValue: () => VALUES[at]! });
  return {
    reading: "cachified",
    writing: "cachified, forced",
    read: (i) => read(i % keys.length, false),
    write: (i) => read(i % keys.length, true),
    async [Symbol.asyncDispose]() {
      await redis.close();
    },
  };
}
