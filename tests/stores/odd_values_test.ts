import { assert, assertEquals } from "@std/assert";
import session from "express-session";
import Keyv5 from "keyv";
import { createStorage } from "unstorage";
import { connect } from "../../mod.ts";
import { expressSessionStore, keyvStore, secondaryStorage, throttlerStorage } from "../../src/stores/mod.ts";
import { unstorageDriver } from "../../src/stores/mod.ts";
import { OLDEST } from "../support/oldest.ts";

// deno-lint-ignore no-explicit-any -- odd values are of no type
type Any = any;

Deno.test("stores for others take each time to live: what never ends is kept, what is over is not", async () => {
  await using redis = await connect({ url: "memory:" });
  const keyv = new Keyv5({ store: keyvStore(redis) });
  const storage = createStorage({ driver: unstorageDriver(redis) });
  const texts = secondaryStorage(redis);
  const times: readonly (readonly [Any, boolean])[] = [
    ...([undefined, null, 0, Infinity, NaN, 1e15, 5] as const).map((ttl) => [ttl, true] as const),
    ...([-1, -5000, -Infinity] as const).map((ttl) => [ttl, false] as const),
  ];
  for (const [ttl, kept] of times) {
    assertEquals(await keyv.set("key", "old"), true);
    assertEquals(await keyv.set("key", "new", ttl === 5 ? 5000 : ttl), true);
    assertEquals(await keyv.get("key"), kept ? "new" : undefined, `Keyv: ${ttl}`);
    await storage.setItem("key", "old");
    await storage.setItem("key", "new", { ttl });
    assertEquals(await storage.getItem("key"), kept ? "new" : null, `unstorage: ${ttl}`);
    await texts.set("key", "old");
    await texts.set("key", "new", ttl);
    assertEquals(await texts.get("key"), kept ? "new" : null, `better-auth: ${ttl}`);
  }
});

Deno.test("expressSessionStore() gives errors to the callback, and keeps what never ends", async () => {
  await using redis = await connect({ url: "memory:" });
  const store = expressSessionStore((session as Any).Store as new () => object, redis);
  const told = (given: object) => new Promise<unknown>((resolve) => store.set("a", given as Any, resolve));
  const circle: Record<string, unknown> = { cookie: {} };
  circle.circle = circle;
  for (const wrong of [circle, { cookie: {}, big: 5n }, { cookie: { expires: "never" } }]) {
    assert(await told(wrong) instanceof Error);
  }
  assertEquals(await told({ cookie: { expires: new Date(8.64e15) }, user: "ada" }), null);
  assert((await redis.cache.namespace("express-session").ttl("a"))! > 99 * 365 * 86_400);
});

// The oldest never ends to load that package.
const takes = "throttlerStorage() takes the limits, times and names that @nestjs/throttler takes";
Deno.test(takes, { ignore: OLDEST }, async () => {
  await using redis = await connect({ url: "memory:" });
  const { ThrottlerStorageService } = await import("@nestjs/throttler");
  const own = new ThrottlerStorageService();
  try {
    const storage = throttlerStorage(redis);
    const cases: readonly (readonly [ttl: number, limit: number, block: number, name: string])[] = [
      [60_000, 0, 60_000, "none"],
      [60_000, -1, 60_000, "less"],
      [60_000, 1.5, 60_000, "fraction"],
      [60_000, Infinity, 60_000, "all"],
      [60_000, 1, Infinity, "for ever"],
      [60_000, 1, 60_000, "name with spaces: «a»"],
      [60_000, 1, 60_000, "long".repeat(50)],
      [60_000, 1, 60_000, ""],
      [Infinity, 1, 0, "window"],
    ];
    for (const [ttl, limit, block, name] of cases) {
      const blocked = async (of: { increment: typeof storage.increment }) => {
        const told: boolean[] = [];
        for (let i = 0; i < 3; i++) told.push((await of.increment(`of ${name}`, ttl, limit, block, name)).isBlocked);
        return told;
      };
      assertEquals(await blocked(storage), await blocked(own), `${limit} in ${ttl} ms, ${name.slice(0, 30)}`);
    }
    assertEquals((await storage.increment("a", 0, 1, 0, "off")).isBlocked, false);
    const names = ["a b", "a:b", "a_b"].map(async (name) => await storage.increment("same", 60_000, 1, 0, name));
    assertEquals((await Promise.all(names)).map(({ totalHits }) => totalHits), [1, 1, 1], "each has its own");
  } finally {
    own.onApplicationShutdown();
  }
});
