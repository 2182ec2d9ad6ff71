import { openBentocache } from "./bentocache.ts";
import { openCacheManager } from "./cache_manager.ts";
import { openCachified } from "./cachified.ts";
import { openDbRedis, REAL_CLIENT } from "./db_redis.ts";
import { openIoredis } from "./ioredis.ts";
import { openLarder } from "./larder.ts";
import { openNodeRedis } from "./node_redis.ts";
import type { LarderPeer } from "./larder.ts";
import type { Peer, TaggedPeer } from "./peer.ts";

/** Larder and all others, connected to the same server. */
export interface AllPeers extends AsyncDisposable {
  /** Larder. */
  readonly larder: LarderPeer;
  /** The one that knows tags too. */
  readonly bentocache: TaggedPeer;
  /** The others, bentocache among them. */
  readonly others: readonly Peer[];
}

/** Opens them all. */
export async function openAll(url: string): Promise<AllPeers> {
  const larder = await openLarder(url);
  const bentocache = await openBentocache(url);
  const others = [
    ...(REAL_CLIENT ? [await openDbRedis(url)] : []),
    bentocache,
    await openCacheManager(url),
    await openCachified(url),
    await openIoredis(url),
    await openNodeRedis(url),
  ];
  return {
    larder,
    bentocache,
    others,
    async [Symbol.asyncDispose]() {
      for (const peer of [larder, ...others]) await peer[Symbol.asyncDispose]();
    },
  };
}
