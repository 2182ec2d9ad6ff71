import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { connect } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

/** How many parts of a window are in use: the calls come one by one, and time is what the test says it is. */
Deno.test("RateLimiter keeps little for each identity, and nothing for ever", async (t) => {
  await using server = await RedisServer.start();
  const namespace = `limits-${crypto.randomUUID()}`;
  await using redis = await connect({ url: server.url, namespace, rateLimit: { timeout: "10s" } });
  const limits = redis.rateLimit
    .define("WIDE", { limit: 60_000, window: "520ms" })
    .define("WIDER", { limit: 1_000_000_000, window: "520ms" })
    .define("EXACT-200", { limit: 200, window: "1m", algorithm: "exact" })
    .define("EXACT-1000", { limit: 1000, window: "1m", algorithm: "exact" })
    .define("EXACT-YEAR", { limit: 150, window: "365d", algorithm: "exact" })
    .define("GCRA", { limit: 100, window: "1m", algorithm: "gcra" })
    .define("FIXED", { limit: 100, window: "1m", algorithm: "fixed-window" });
  const id = "203.0.113.177";
  const bytesOf = async (name: string) => {
    const keys = (await server.cli("KEYS", `{${namespace}}:*:${name}:*`)) as string[];
    assertEquals(keys.length, 1, name);
    return Number(await server.cli("MEMORY", "USAGE", keys[0]!));
  };
  await t.step("exact: at most 6 bytes for each call and 150", async () => {
    for (
      const [name, limit] of [
        ["AUTH", 5],
        ["DEFAULT", 100],
        ["EXACT-200", 200],
        ["EXACT-1000", 1000],
        ["EXACT-YEAR", 150],
      ] as const
    ) {
      for (let i = 0; i < limit; i++) await limits.check(name, id);
      assertEquals((await limits.peek(name, id)).remaining, 0);
      assertLessOrEqual(await bytesOf(name), 6 * limit + 150, name);
    }
  });
  await t.step("AUTH and every sliding-window: at most 250 bytes", async () => {
    assertLessOrEqual(await bytesOf("AUTH"), 250);
    // A call in every part of the window.
    for (const name of ["WIDE", "WIDER"] as const) {
      const end = performance.now() + 650;
      let most = 0;
      while (performance.now() < end) {
        await limits.check(name, id, { cost: 7 });
        most = Math.max(most, await bytesOf(name));
      }
      const key = ((await server.cli("KEYS", `{${namespace}}:*:${name}:*`)) as string[])[0]!;
      assert(Number(await server.cli("STRLEN", key)) >= 16 + 20 * (name === "WIDE" ? 2 : 4), "all parts are in use");
      assertLessOrEqual(most, 250, name);
    }
    for (const name of ["API", "STATIC"] as const) {
      await Promise.all(Array.from({ length: 1000 }, () => limits.check(name, id)));
      assertLessOrEqual(await bytesOf(name), 250, name);
    }
  });
  await t.step("gcra and fixed-window: one number", async () => {
    for (const name of ["GCRA", "FIXED"] as const) {
      await limits.check(name, id);
      assertLessOrEqual(await bytesOf(name), 150, name);
    }
  });
  await t.step("every key has a TTL, of at most its window and a part", async () => {
    for (let i = 0; i < 50; i++) {
      const steps = [limits.check("AUTH", `u${i}`), limits.penalize("API", `u${i}`, 3), limits.peek("STATIC", `u${i}`)];
      await Promise.all(steps);
      await (await limits.reserve("GCRA", `u${i}`)).refund();
      await (await limits.reserve("FIXED", `u${i}`)).refund();
    }
    const keys = (await server.cli("KEYS", `{${namespace}}:r?:*`)) as string[];
    assert(keys.length >= 100);
    for (const key of keys) {
      const ttl = Number(await server.cli("PTTL", key));
      if (ttl === -2) continue; // it has just ended
      assert(ttl >= 0, `${key} ${ttl}`); // 0 in its last millisecond, -1 without a TTL
      if (key.includes(":AUTH:")) assertLessOrEqual(ttl, 300_000 * 27 / 26 + 1);
      if (key.includes(":API:")) assertLessOrEqual(ttl, 3_600_000 * 27 / 26 + 1);
    }
  });
});
