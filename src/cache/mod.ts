/**
 * A cache with stale-while-revalidate and tag invalidation that never serves what was invalidated: not from a loader
 * that was already running, not from another process, not after a reconnect, an eviction or a flush of Redis.
 *
 * @example Stale while revalidating, on the embedded store
 * ```ts
 * import { Cache, MemoryStore } from "@larder/larder/cache";
 * import assert from "node:assert/strict";
 *
 * await using cache = new Cache(new MemoryStore());
 * const load = () => Promise.resolve({ price: 9.99 });
 * const product = await cache.getOrSet("product:1", load, { ttl: "1m", staleWhileRevalidate: "5m", tags: ["shop"] });
 * assert.equal(product.price, 9.99);
 * ```
 *
 * @module
 */
export * from "./cache.ts";
export { CacheInvalidations } from "./cache_invalidations.ts";
export { CacheLoads } from "./cache_loads.ts";
export { CacheReads } from "./cache_reads.ts";
export { CacheWrites } from "./cache_writes.ts";
export * from "./options.ts";
export * from "./schema_options.ts";
export * from "./ttl.ts";
export type { CacheStats } from "./stats.ts";
export { jsonSerializer, richSerializer, type Serializer } from "../values/serializer.ts";
export type {
  SchemaInput,
  SchemaIssue,
  SchemaOutput,
  SchemaResult,
  StandardSchema,
} from "../values/standard_schema.ts";
export type { LocalOptions } from "./local.ts";
export type { Definition } from "./definition.ts";
export type { ManyLoader } from "./load_many.ts";
export type { CacheOperations } from "./operations.ts";
export type { WarmEntry, WarmOptions, WarmResult } from "./warm.ts";
export * from "./memory_store.ts";
export * from "./store.ts";
export { escapeGlob } from "../util/glob.ts";
export type { StoredEntry } from "./entry.ts";
export type { Duration } from "../util/duration.ts";
export type { ClosedBy } from "../errors.ts";
export type { LarderEvent, LoadEnd, ServerEvent, ServerRole } from "../observe/events.ts";
