import type { Contenders } from "../contender_processes.ts";
import type { Run } from "../drive.ts";
import { checked, fill } from "../readers.ts";
import type { LarderPeer } from "../peers/larder.ts";
import type { Peer } from "../peers/peer.ts";

/**
 * Reads of all products by each of the peers, at a URL. Larder's entries are older than an invalidation of another tag,
 * as most are in a service that runs: without one, no tag is looked at, and that would flatter.
 */
export const CONTENDERS: Contenders = {
  "get": async (url) => checked((await filled(url)).read),
  "getOrSet": async (url) => checked((await filled(url)).readThrough),
  "get, started later": async (url) => checked((await openLarder(url)).read),
  "getOrSet, started later": async (url) => checked((await openLarder(url)).readThrough),
  "get, copies": async (url) => checked((await filled(url, true)).read),
  "getOrSet, copies": async (url) => checked((await filled(url, true)).readThrough),
  "@db/redis get": async (url) => reading((await import("../peers/db_redis.ts")).openDbRedis(url)),
  "bentocache getOrSet": async (url) => reading((await import("../peers/bentocache.ts")).openBentocache(url)),
  "bentocache getOrSet, copies": async (url) =>
    reading((await import("../peers/bentocache.ts")).openBentocache(url, { local: true })),
  "cache-manager get": async (url) => reading((await import("../peers/cache_manager.ts")).openCacheManager(url)),
  "cachified": async (url) => reading((await import("../peers/cachified.ts")).openCachified(url)),
  "ioredis auto-pipelined get + parse": async (url) => reading((await import("../peers/ioredis.ts")).openIoredis(url)),
  "node-redis get + parse": async (url) => reading((await import("../peers/node_redis.ts")).openNodeRedis(url)),
};

async function openLarder(url: string, local?: boolean): Promise<LarderPeer> {
  return await (await import("../peers/larder.ts")).openLarder(url, { ...(local && { local }) });
}

async function filled(url: string, local?: boolean): Promise<LarderPeer> {
  const larder = await openLarder(url, local);
  await fill([larder]);
  await larder.invalidateByTag("another");
  return larder;
}

async function reading(opening: Promise<Peer>): Promise<Run> {
  const peer = await opening;
  await fill([peer]);
  return await checked(peer.read);
}
