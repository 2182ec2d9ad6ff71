import { assertEquals } from "@std/assert";
import { stub } from "@std/testing/mock";
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import { EventLog, until } from "../support/until.ts";

class User {
  readonly id = 1;
}

async function readThrice(cache: Cache): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await cache.getOrSet("user:1", () => new User());
    await cache.getOrSet("long", () => "x".repeat(2000));
    await cache.getOrSet("nothing", () => undefined);
  }
}

Deno.test("The console says once for each place why a loader's value is not kept, where nobody listens", async () => {
  const lines: unknown[] = [];
  using _ = stub(console, "warn", (...parts) => void lines.push(parts.join(" ")));
  await using cache = new Cache(new MemoryStore(), { maxBytes: 1000 });
  await readThrice(cache);
  assertEquals(lines, [
    'Larder: Cannot cache "user:1": wanted plain data, got an instance of User: it is not kept, and each read loads anew.',
    'Larder: Cannot cache "long": wanted at most 1000 bytes, got at least 2002 bytes: it is not kept, and each read loads anew.',
    'Larder: A loader gave undefined for "nothing": nothing is kept, and each read loads anew; null can be kept.',
  ]);
});

Deno.test("The console says nothing of a loader's value where somebody listens, or wants it thrown", async () => {
  const lines: unknown[] = [];
  using _ = stub(console, "warn", (...parts) => void lines.push(parts.join(" ")));
  const log = new EventLog();
  await using cache = new Cache(new MemoryStore(), { maxBytes: 1000 }, log.on);
  await readThrice(cache);
  assertEquals(log.events.filter(({ type }) => type === "cache.error").length, 6);
  assertEquals(log.events.filter(({ type }) => type === "warning").length, 1);
  await using strict = new Cache(new MemoryStore(), { unstorable: "throw" });
  await strict.getOrSet("user:1", () => new User()).catch(() => {});
  assertEquals(lines, []);
});

Deno.test("The console says once for each place that a background refresh has failed, where nobody listens", async () => {
  const lines: string[] = [];
  using _ = stub(console, "warn", (...parts) => void lines.push(parts.join(" ")));
  for (const log of [undefined, new EventLog()]) {
    await using cache = new Cache(new MemoryStore(), { retryAfter: "10ms" }, log?.on);
    await cache.set("price", 1, { ttl: "10ms", staleWhileRevalidate: "1h" });
    await cache.set("name", "ada", { ttl: "10ms", staleWhileRevalidate: "1h" });
    await until(async () => await cache.get("price") === undefined && await cache.get("name") === undefined, "stale");
    for (let failed = 0; failed < 4;) {
      assertEquals(await cache.getOrSet("price", () => Promise.reject(new Error("the database is down"))), 1);
      assertEquals(await cache.getOrSet("name", () => Promise.reject("gone")), "ada");
      await until(() => cache.stats().loading === 0, "both have failed");
      failed = cache.stats().loadErrors;
    }
    assertEquals(
      lines.splice(0),
      log ? [] : [
        'Larder: "price" could not be refreshed, so the older value is served for as long as it may be: the database is down.',
        'Larder: "name" could not be refreshed, so the older value is served for as long as it may be: "gone".',
      ],
    );
  }
});
