import { assert, assertEquals, assertRejects } from "@std/assert";
import { Cache } from "../../src/cache/cache.ts";
import type { CacheStore } from "../../src/cache/store.ts";
import type { WarmEntry, WarmResult } from "../../src/cache/warm.ts";
import { FlakyStore } from "../../src/testing/flaky_store.ts";
import { openOnHarness, outcome, pause } from "./contract/cache_tools.ts";
import { type Case, type Harness, MemoryHarness, RedisHarness } from "./contract/harness.ts";
import { runCases } from "../support/run_cases.ts";
import { RedisServer } from "../support/redis_server.ts";

const entries = (count: number): WarmEntry[] => Array.from({ length: count }, (_, i) => [`${i}`, i]);

/** A cache that tells how many writes it does at a time. */
async function counted(harness: Harness): Promise<{ cache: Cache; writes: { now: number; most: number } }> {
  const writes = { now: 0, most: 0 };
  const store = new Proxy(await harness.open(), {
    get(target, property) {
      const value = Reflect.get(target, property, target);
      if (property !== "write") return typeof value === "function" ? value.bind(target) : value;
      return async (...args: Parameters<CacheStore["write"]>) => {
        writes.most = Math.max(writes.most, ++writes.now);
        await pause(1);
        return await target.write(...args).finally(() => writes.now--);
      };
    },
  });
  return { cache: new Cache(store), writes };
}

const warm: Readonly<Record<string, Case>> = {
  "warm() stores what it is given, with options of its own": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const given: WarmEntry[] = [["a", 1], ["b", new Date(5), { ttl: 20, tags: ["t"] }], ["c", undefined]];
    assertEquals(await cache.warm(given), { stored: 3, failed: 0 });
    const { value, tags, ttl } = await cache.lookup("b");
    assertEquals([value, tags, await cache.get("a"), await cache.has("c")], [new Date(5), ["t"], 1, true]);
    assert(ttl <= 20);
    assertEquals(await cache.warm([]), { stored: 0, failed: 0 });
  },

  "warm() takes a map, a generator, an async generator and a stream": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const sources = [
      new Map([["a", 1]]),
      (function* (): Generator<WarmEntry> {
        yield ["b", 2];
      })(),
      (async function* (): AsyncGenerator<WarmEntry> {
        yield ["c", 3];
        await pause(1);
        yield ["d", 4];
      })(),
      new ReadableStream<WarmEntry>({
        start(controller) {
          controller.enqueue(["e", 5]);
          controller.close();
        },
      }),
    ];
    for (const source of sources) await cache.warm(source);
    assertEquals([...(await cache.getMany(["a", "b", "c", "d", "e"])).values()], [1, 2, 3, 4, 5]);
  },

  "warm() writes so many at a time and reads no further ahead": async (harness) => {
    const { cache, writes } = await counted(harness);
    let ahead = 0;
    let taken = 0;
    let done = 0;
    function* source(): Generator<WarmEntry> {
      for (const entry of entries(50)) {
        ahead = Math.max(ahead, ++taken - done);
        yield entry;
      }
    }
    await cache.warm(source(), { concurrency: 4, onProgress: ({ stored }) => done = stored });
    assertEquals([writes.most, taken], [4, 50]);
    assert(ahead <= 5, `${ahead}`);
  },

  "warm() tells its progress after each": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const told: WarmResult[] = [];
    await cache.warm(entries(5), { concurrency: 1, onProgress: (progress) => told.push(progress) });
    assertEquals(told, [1, 2, 3, 4, 5].map((stored) => ({ stored, failed: 0 })));
  },

  "warm() counts what the store does not take": async (harness) => {
    const store = new FlakyStore(await harness.open());
    const cache = new Cache(store);
    store.down = true;
    assertEquals(await cache.warm(entries(3)), { stored: 0, failed: 3 });
  },

  "warm() stops on its signal, also while it waits for the next entry": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const abort = new AbortController();
    let taken = 0;
    function* source(): Generator<WarmEntry> {
      for (const entry of entries(1000)) {
        if (++taken === 10) abort.abort(new Error("enough"));
        yield entry;
      }
    }
    const { signal } = abort;
    assertEquals(await outcome(cache.warm(source(), { concurrency: 2, signal })), "error: enough");
    assert(taken <= 11, `${taken}`);
    assertEquals(await outcome(cache.warm(entries(1), { signal })), "error: enough");

    const late = new AbortController();
    const never = Promise.withResolvers<void>();
    async function* stuck(): AsyncGenerator<WarmEntry> {
      yield ["first", 1];
      await never.promise;
      yield ["second", 2];
    }
    const warming = outcome(cache.warm(stuck(), { signal: late.signal }));
    while (!await cache.has("first")) await pause(1);
    late.abort(new Error("late"));
    assertEquals(await warming, "error: late");
    never.resolve();
    await pause(5);
    assertEquals(await cache.has("second"), false);
  },

  "warm() ends its source when it stops": async (harness) => {
    const { cache } = await openOnHarness(harness);
    let ended = 0;
    function* source(): Generator<WarmEntry> {
      try {
        yield ["a", 1];
        yield ["b", () => {}];
        yield ["c", 1];
        yield ["d", 1];
      } finally {
        ended++;
      }
    }
    await assertRejects(() => cache.warm(source(), { concurrency: 1 }), TypeError);
    assertEquals([ended, await cache.get("a"), await cache.has("d")], [1, 1, false]);
  },

  "warm() rejects with what its source throws once the writes before it are done": async (harness) => {
    const { cache, writes } = await counted(harness);
    function* source(): Generator<WarmEntry> {
      yield* entries(3);
      throw new SyntaxError("no more");
    }
    await assertRejects(() => cache.warm(source()), SyntaxError, "no more");
    assertEquals([writes.now, (await cache.getMany(["0", "1", "2"])).size], [0, 3]);
  },

  "warm() rejects for entries and options that cannot be": async (harness) => {
    const { cache } = await openOnHarness(harness);
    for (const wrong of [undefined, 5, "ab", {}, [5], [["a"], ["", 1]], [["a", 1, { ttl: -1 }]], [["a", () => {}]]]) {
      const error = await cache.warm(wrong as unknown as WarmEntry[]).then(() => undefined, (error) => error);
      assert(error instanceof TypeError || error instanceof RangeError, `${JSON.stringify(wrong)}: ${error}`);
    }
    for (const concurrency of [0, -1, 1.5, NaN, Infinity, "2"]) {
      await assertRejects(() => cache.warm([], { concurrency: concurrency as number }), RangeError, "concurrency");
    }
    await assertRejects(() => cache.warm([], { onProgress: 5 as never }), TypeError, "function");
    const throws = () => {
      throw new SyntaxError("no");
    };
    await assertRejects(() => cache.warm(entries(2), { onProgress: throws }), SyntaxError, "no");
  },
};

Deno.test("Cache.warm() on the embedded store", async (t) => {
  await runCases(t, warm, () => new MemoryHarness());
});

Deno.test("Cache.warm() on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, warm, () => new RedisHarness(server));
});
