import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { UnavailableError } from "../../../src/errors.ts";
import { Gate, openOnHarness, outcome, pause, Source } from "./cache_tools.ts";
import type { Case } from "./harness.ts";

export const cacheSignals: Readonly<Record<string, Case>> = {
  "A signal that is aborted already ends every call before the store hears of it": async (harness) => {
    const { cache, store } = await openOnHarness(harness);
    await cache.set("a", 1, { tags: ["t"] });
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const calls: Record<string, () => Promise<unknown>> = {
      get: () => cache.get("a", { signal }),
      getMany: () => cache.getMany(["a", "b"], { signal }),
      lookup: () => cache.lookup("a", { signal }),
      has: () => cache.has("a", { signal }),
      ttl: () => cache.ttl("a", { signal }),
      set: () => cache.set("a", 2, { signal }),
      setMany: () => cache.setMany({ a: 2 }, { signal }),
      getOrSet: () => cache.getOrSet("b", () => assert(false), { signal }),
      touch: () => cache.touch("a", 1, { signal }),
      invalidate: () => cache.invalidate("a", { signal }),
      invalidateMany: () => cache.invalidateMany(["a"], { signal }),
      delete: () => cache.delete("a", { signal }),
      invalidateByTag: () => cache.invalidateByTag("t", { signal }),
      invalidateByPattern: () => cache.invalidateByPattern("*", { signal }),
      clear: () => cache.clear({ signal }),
    };
    for (const [name, call] of Object.entries(calls)) {
      assertStrictEquals(await assertRejects(call), reason, name);
    }
    assertEquals(await cache.get("a"), 1);
    assertEquals((await store.read("b")).held, 0);
    assert((await cache.ttl("a"))! > 3000);
  },

  "A signal ends the wait of its caller only": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const gate = new Gate<number>();
    const [first, joined] = [new AbortController(), new AbortController()];
    const callers = [first.signal, joined.signal, undefined].map((signal) =>
      outcome(cache.getOrSet("a", gate.load, { signal }))
    );
    await gate.started;
    await cache.get("b");
    first.abort(new Error("first"));
    joined.abort(new Error("joined"));
    assertEquals(await Promise.all(callers.slice(0, 2)), ["error: first", "error: joined"]);
    const late = cache.getOrSet("a", gate.load);
    await cache.get("b");
    gate.open(1);
    assertEquals([await callers[2], await late, gate.calls], ["value 1", 1, 1]);
    assertEquals(await cache.get("a"), 1);
  },

  "A signal that ends a wait while the store is read holds up nobody": async (harness) => {
    const { cache, store } = await openOnHarness(harness);
    const controller = new AbortController();
    const aborted = outcome(cache.getOrSet("a", () => 1, { signal: controller.signal }));
    controller.abort(new Error("enough"));
    assertEquals(await aborted, "error: enough");
    await pause(20);
    assertEquals((await store.read("a")).held, 0);
    assertEquals(await cache.getOrSet("a", () => 2), 2);
  },

  "A signal that ends a wait while the store is read leaves the load to those who share the read": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const source = new Source();
    for (const position of [0, 1, 2]) {
      const controller = new AbortController();
      const callers = Array.from(
        { length: 3 },
        (_, i) =>
          outcome(cache.getOrSet(`${position}`, source.load, i === position ? { signal: controller.signal } : {})),
      );
      controller.abort(new Error("enough"));
      const wanted = Array(3).fill(`value ${position + 1}`);
      wanted[position] = "error: enough";
      assertEquals(await Promise.all(callers), wanted);
    }
    assertEquals(source.calls, 3);
  },

  "A signal ends the wait for another process": async (harness) => {
    const { cache, store } = await openOnHarness(harness);
    await store.read("a", { lease: 60_000 });
    const controller = new AbortController();
    const waiting = outcome(cache.getOrSet("a", () => 1, { signal: controller.signal }));
    await pause(30);
    controller.abort(new Error("enough"));
    assertEquals(await waiting, "error: enough");
  },

  "A closed cache rejects, and its loaders are told to stop": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    await cache.set("a", 1);
    const { promise, resolve } = Promise.withResolvers<AbortSignal>();
    const loading = cache.getOrSet("b", async ({ signal }) => {
      resolve(signal);
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      return 1;
    });
    const signal = await promise;
    const wait = outcome(loading);
    await cache[Symbol.asyncDispose]();
    assert(signal.aborted && signal.reason instanceof UnavailableError);
    assertEquals(signal.reason.reason, "closed");
    assertEquals(await wait, `error: ${signal.reason.message}`);
    const calls = [
      () => cache.get("a"),
      () => cache.getMany(["a"]),
      () => cache.lookup("a"),
      () => cache.has("a"),
      () => cache.ttl("a"),
      () => cache.set("a", 1),
      () => cache.setMany({ a: 1 }),
      () => cache.getOrSet("a", () => assert(false)),
      () => cache.touch("a", 1),
      () => cache.invalidate("a"),
      () => cache.delete("a"),
      () => cache.invalidateByTag("a"),
      () => cache.invalidateByPattern("a"),
      () => cache.clear(),
    ];
    for (const call of calls) {
      const error = await assertRejects<UnavailableError>(call, UnavailableError, "closed", `${call}`);
      assertEquals(error.reason, "closed");
    }
    assertEquals(events.count("cache.error"), 0);
    await cache[Symbol.asyncDispose]();
  },

  "A cache that is closed while it loads gives its callers the value": async (harness) => {
    const { cache, events } = await openOnHarness(harness);
    const gate = new Gate<number>();
    const loading = cache.getOrSet("a", gate.load);
    await gate.started;
    await cache[Symbol.asyncDispose]();
    gate.open(1);
    assertEquals(await loading, 1);
    assertEquals(events.count("cache.error"), 0);
  },
};
