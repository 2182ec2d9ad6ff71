import type { Cache } from "../../../src/cache/cache.ts";
import type { GetOrSetOptions } from "../../../src/cache/options.ts";
import { type Opened, openOnHarness } from "./cache_tools.ts";
import type { Case } from "./harness.ts";

/** A way to invalidate. */
export interface Kind {
  readonly options: GetOrSetOptions<string>;
  readonly invalidate: (cache: Cache) => Promise<unknown>;
}

/** Each way to invalidate the key `a`, with how the tag comes to it. */
export const KINDS: Readonly<Record<string, Kind>> = {
  "invalidate()": { options: {}, invalidate: (cache) => cache.invalidate("a") },
  "invalidateMany()": { options: {}, invalidate: (cache) => cache.invalidateMany(["b", "a"]) },
  "delete()": { options: {}, invalidate: (cache) => cache.delete("a") },
  "invalidateByTag()": { options: { tags: ["t"] }, invalidate: (cache) => cache.invalidateByTag("t") },
  "invalidateByTag() of a tag that a function gives": {
    options: { tags: () => ["x", "t"] },
    invalidate: (cache) => cache.invalidateByTag(["z", "t"]),
  },
  "invalidateByPattern()": { options: {}, invalidate: (cache) => cache.invalidateByPattern("[a-c]*") },
  "clear()": { options: { tags: ["t"] }, invalidate: (cache) => cache.clear() },
};

/** Two processes. */
export async function openTwo(harness: Parameters<Case>[0], options = {}): Promise<[Opened, Opened]> {
  const opened: [Opened, Opened] = [await openOnHarness(harness, options), await openOnHarness(harness, options)];
  // Both know the store as it is, as processes do that have run for a while.
  for (const { cache } of opened) await cache.get("warm");
  return opened;
}
