/**
 * Tools for tests of code that uses Larder: a clock that stands still until it is told, and a store that fails or
 * delays on demand.
 *
 * @example An outage in a test
 * ```ts
 * import { Cache, MemoryStore } from "@larder/larder/cache";
 * import { FlakyStore } from "@larder/larder/testing";
 * import assert from "node:assert/strict";
 *
 * const store = new FlakyStore(new MemoryStore());
 * await using cache = new Cache(store);
 * await cache.set("a", 1);
 * store.down = true;
 * assert.equal(await cache.get("a"), undefined);
 * assert.equal(await cache.getOrSet("a", () => 2), 2);
 * ```
 *
 * @module
 */
export * from "./manual_clock.ts";
export * from "./flaky_store.ts";
export * from "./flaky_client.ts";
