import { Redis } from "npm:ioredis@6.0.0";
import { NAMES, TTL, VALUES } from "../workload.ts";
import { addressOf } from "./bentocache.ts";
import type { Peer } from "./peer.ts";

/** Opens `npm:ioredis` with `enableAutoPipelining`, its fastest way: `GET` and `JSON.parse`. */
export async function openIoredis(url: string): Promise<Peer> {
  const redis = new Redis({ ...addressOf(url), enableAutoPipelining: true });
  const keys = NAMES.map((name) => `ioredis:${name}`);
  await redis.ping();
  return {
    reading: "ioredis auto-pipelined get + parse",
    writing: "ioredis auto-pipelined stringify + set",
    async read(i) {
      const text = await redis.get(keys[i % keys.length]!);
      return text === null ? undefined : JSON.parse(text);
    },
    write(i) {
      const at = i % keys.length;
      return redis.set(keys[at]!, JSON.stringify(VALUES[at]!), "EX", TTL);
    },
    [Symbol.asyncDispose]() {
      redis.disconnect();
      return Promise.resolve();
    },
  };
}
