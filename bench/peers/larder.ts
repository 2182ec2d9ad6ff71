import { connect, type Larder } from "../../mod.ts";
import { NAMES, TAGS, TTL, VALUES } from "../workload.ts";
import type { TaggedPeer } from "./peer.ts";

/** Larder, with both ways to read. */
export interface LarderPeer extends TaggedPeer {
  /** The connection. */
  readonly larder: Larder;
  /** Reads the product of key `i` with a loader that is not needed. */
  readThrough(i: number): Promise<unknown>;
}

/** Opens Larder; `url` may be `memory:`. With `local`, each process keeps copies. */
export async function openLarder(url: string, options: { local?: boolean } = {}): Promise<LarderPeer> {
  const larder = await connect({
    url,
    namespace: "larder-bench",
    commandTimeout: "10s", // what is measured is how long it takes, not when it gives up
    cache: { ttl: TTL, ...(options.local && { local: { maxEntries: 10_000, ttl: TTL } }) },
  });
  await larder.ready({ timeout: "10s" });
  const { cache } = larder;
  return {
    reading: "get",
    writing: "set",
    invalidating: "invalidateByTag",
    larder,
    read: (i) => cache.get(NAMES[i % NAMES.length]!),
    readThrough(i) {
      const at = i % NAMES.length;
      return cache.getOrSet(NAMES[at]!, () => VALUES[at]!, { tags: TAGS[at]! });
    },
    write(i) {
      const at = i % NAMES.length;
      return cache.set(NAMES[at]!, VALUES[at]!, { tags: TAGS[at]! });
    },
    set: (key, value, tags) => cache.set(key, value, { tags }),
    get: (key) => cache.get(key),
    invalidateByTag: (tag) => cache.invalidateByTag(tag),
    clear: () => cache.clear(),
    [Symbol.asyncDispose]: () => larder.close(),
  };
}
