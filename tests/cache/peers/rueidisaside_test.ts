import { assert, assertEquals, assertLess } from "@std/assert";
import { Gate, openOnHarness, outcome } from "../contract/cache_tools.ts";
import { openCache } from "../../support/open_cache.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { until } from "../../support/until.ts";
import { behaviours, type Cases, type RedisCases } from "./peers.ts";

const cases: Cases = {
  "Ten processes that read the same keys again and again load each once": async (harness) => {
    const opened = await Promise.all(Array.from({ length: 10 }, () => openOnHarness(harness)));
    const loads = new Map<string, number>();
    await Promise.all(opened.map(async ({ cache }) => {
      for (let i = 0; i < 30; i++) {
        const values = await Promise.all(Array.from({ length: 5 }, (_, key) =>
          cache.getOrSet(`${key}`, async () => {
            loads.set(`${key}`, (loads.get(`${key}`) ?? 0) + 1);
            await Promise.resolve();
            return key;
          })));
        assertEquals(values, [0, 1, 2, 3, 4]);
      }
    }));
    assertEquals([...loads.values()], [1, 1, 1, 1, 1]);
  },

  "A loader that asks for its own key gets an error in time, not a deadlock": async (harness) => {
    const { cache } = await openOnHarness(harness);
    const inner: string[] = [];
    const call = cache.getOrSet("a", async () => {
      inner.push(await outcome(cache.getOrSet("a", () => 1, { hardTimeout: "10ms" })));
      throw new Error("so it fails");
    });
    assertEquals(await outcome(call), "error: so it fails");
    assertEquals(inner, ['error: Cannot load "a": wanted a value within 10 ms, got none']);
    assertEquals(await cache.getOrSet("a", () => 2), 2);
  },
};

const redisCases: RedisCases = {
  "A process that is closed while it loads holds nobody up": async ({ namespace }, server) => {
    await using other = await openCache(server, { namespace });
    const closing = await openCache(server, { namespace, lease: "1m" });
    const started = Promise.withResolvers<void>();
    const load = outcome(closing.cache.getOrSet("a", ({ signal }) => {
      started.resolve();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    }));
    await started.promise;
    const waiting = other.cache.getOrSet("a", () => "by another");
    await closing[Symbol.asyncDispose]();
    assert((await load).startsWith("error: "));
    const before = performance.now();
    assertEquals(await waiting, "by another");
    assertLess(performance.now() - before, 5000);
  },

  "A loader that lost its connection, and with it its lease, does not overwrite who came after": async (
    { namespace },
    server,
  ) => {
    await using proxy = TcpProxy.start(server);
    await using cut = await openCache({ port: proxy.port }, { namespace, lease: "200ms", commandTimeout: 500 });
    await using other = await openCache(server, { namespace, lease: "200ms" });
    const gate = new Gate<string>();
    const first = cut.cache.getOrSet("a", gate.load);
    await gate.started;
    proxy.freeze();
    assertEquals(await other.cache.getOrSet("a", () => "second"), "second");
    proxy.thaw();
    await until(async () => await cut.cache.get("a") === "second", "the first process is connected again");
    gate.open("first");
    assertEquals(await first, "first");
    assertEquals([await cut.cache.get("a"), await other.cache.get("a")], ["second", "second"]);
  },
};

behaviours("rueidisaside", cases, redisCases);
