import type { Contenders } from "../contender_processes.ts";

/** Writes of all products by each of the peers, at a URL; only Larder and bentocache keep the tags. */
export const CONTENDERS: Contenders = {
  "set": async (url) => (await (await import("../peers/larder.ts")).openLarder(url)).write,
  "@db/redis set": async (url) => (await (await import("../peers/db_redis.ts")).openDbRedis(url)).write,
  "bentocache set": async (url) => (await (await import("../peers/bentocache.ts")).openBentocache(url)).write,
  "cache-manager set": async (url) => (await (await import("../peers/cache_manager.ts")).openCacheManager(url)).write,
  "cachified, forced": async (url) => (await (await import("../peers/cachified.ts")).openCachified(url)).write,
  "ioredis auto-pipelined stringify + set": async (url) =>
    (await (await import("../peers/ioredis.ts")).openIoredis(url)).write,
  "node-redis stringify + set": async (url) =>
    (await (await import("../peers/node_redis.ts")).openNodeRedis(url)).write,
};
