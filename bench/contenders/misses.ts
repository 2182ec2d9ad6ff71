import type { Contenders } from "../contender_processes.ts";
import { TTL, VALUES } from "../workload.ts";

const value = VALUES[7]!;
const tags = ["some"];
let next = 0;
const key = () => `new:${next++}`;

/** Looks up keys that are not there, loads and stores them. What is done by hand has no lease, and no tags. */
export const CONTENDERS: Contenders = {
  async "getOrSet"(url) {
    const { larder } = await (await import("../peers/larder.ts")).openLarder(url);
    return () => larder.cache.getOrSet(key(), () => value, { tags });
  },
  async "bentocache set after get"(url) {
    const bentocache = await (await import("../peers/bentocache.ts")).openBentocache(url);
    return async () => {
      const name = key();
      if (await bentocache.get(name) === undefined) await bentocache.set(name, value, tags);
    };
  },
  async "node-redis get, set"(url) {
    const node = (await import("redis")).createClient({ url });
    await node.connect();
    return async () => {
      const name = `node:${key()}`;
      if (await node.get(name) !== null) throw new Error("It is there");
      await node.set(name, JSON.stringify(value), { expiration: { type: "EX", value: TTL } });
    };
  },
};
