import { assert, assertEquals } from "@std/assert";
import { Cache } from "../../../src/cache/cache.ts";
import { UnavailableError } from "../../../src/errors.ts";
import { FlakyStore } from "../../../src/testing/flaky_store.ts";
import { schemaOf } from "./cache_loading.ts";
import { Events, Gate, outcome, pause } from "./cache_tools.ts";
import type { Case } from "./harness.ts";

export const cacheOutage: Readonly<Record<string, Case>> = {
  "Without the store, reads miss, loaders run, writes are not stored, and all is told": async (harness) => {
    const events = new Events();
    const store = new FlakyStore(await harness.open());
    const cache = new Cache(store, {}, events.on);
    await cache.set("a", 1);
    store.down = true;
    assertEquals(
      [
        await cache.get("a"),
        await cache.has("a"),
        await cache.ttl("a"),
        await cache.touch("a", 10),
        await cache.set("a", 2),
        await cache.setMany({ a: 2 }),
        (await cache.getMany(["a"])).size,
        (await cache.lookup("a")).status,
        await cache.getOrSet("a", () => 3),
      ],
      [undefined, false, undefined, false, false, false, 0, "miss", 3],
    );
    assertEquals(await outcome(cache.getOrSet("a", () => Promise.reject(new Error("no")))), "error: no");
    const gate = new Gate<{ n: number }>();
    const callers = Array.from({ length: 50 }, () => cache.getOrSet("a", gate.load));
    await gate.started;
    gate.open({ n: 1 });
    assertEquals(new Set(await Promise.all(callers)).size, 50);
    assertEquals(gate.calls, 1);
    assert(events.count("cache.error") >= 10);
    assert(events.of("cache.error").every(({ error }) => error instanceof UnavailableError));
    assertEquals((await cache.invalidate("a")).status, "queued");
    assertEquals([await cache.delete("b"), cache.stats().queued], [false, 4]);
    store.down = false;
    assertEquals(await cache.get("a"), undefined);
  },

  "Without the store, whoever comes after an invalidation is not given what was loaded before it": async (harness) => {
    const store = new FlakyStore(await harness.open());
    const cache = new Cache(store);
    const invalidations: ((key: string) => Promise<unknown>)[] = [
      (key) => cache.invalidate(key),
      (key) => cache.invalidateByTag(`tag ${key}`),
      (key) => cache.invalidateByPattern(`${key}*`),
      () => cache.clear(),
      (key) => cache.set(key, "set"),
    ];
    for (const downFirst of [true, false]) {
      for (const [i, invalidate] of invalidations.entries()) {
        const key = `${downFirst} ${i}`;
        const options = { tags: [`tag ${key}`] };
        store.down = downFirst;
        const gate = new Gate<string>();
        const before = cache.getOrSet(key, gate.load, options);
        await gate.started;
        store.down = true;
        await invalidate(key);
        assertEquals(await cache.getOrSet(key, () => "new", options), "new");
        gate.open("old");
        assertEquals(await before, "old");
        store.down = false;
        assertEquals(await cache.get(key), undefined);
      }
    }
  },

  "Without the store, a reader with another schema than the loader loads for itself": async (harness) => {
    const store = new FlakyStore(await harness.open());
    const cache = new Cache(store);
    store.down = true;
    const gate = new Gate<unknown>();
    const first = cache.getOrSet("a", gate.load);
    await gate.started;
    const second = cache.getOrSet("a", () => 2, { schema: schemaOf<number>("number") });
    await pause(1);
    gate.open("text");
    assertEquals([await first, await second], ["text", 2]);
  },
};
