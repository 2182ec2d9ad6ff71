import { assert, assertEquals } from "@std/assert";
import { onDocument, Users } from "./seed.ts";

onDocument("003", {
  "a value is set for 300 seconds": async ({ cache }) => {
    assertEquals(await cache.set("user:123", { name: "Ada" }, { ttl: 300 }), true);
    const left = (await cache.ttl("user:123"))!;
    assert(left > 280 && left <= 300);
  },
  "a value is read": async ({ cache }) => {
    await cache.set("user:123", { name: "Ada" }, { ttl: 300 });
    assertEquals(await cache.get("user:123"), { name: "Ada" });
    assertEquals(await cache.get("user:124"), undefined);
  },
  "a value is deleted": async ({ cache }) => {
    await cache.set("user:123", { name: "Ada" }, { ttl: 300 });
    assertEquals(await cache.delete("user:123"), true);
    assertEquals(await cache.has("user:123"), false);
  },
  "API keys are checked without the database, those that there are not too, and revoked at once": async ({ cache }) => {
    const keys = new Users();
    keys.put("k1", { owner: "acme" });
    const check = (key: string) =>
      cache.getOrSet(`api-key:${key}`, () => keys.find(key), { ttl: 300, tags: [`owner:${key}`, "api-keys"] });
    assertEquals([await check("k1"), await check("k1"), await check("none"), await check("none")], [
      { owner: "acme" },
      { owner: "acme" },
      null,
      null,
    ]);
    assertEquals(keys.asked, 2, "null is a value");
    keys.put("k1", { owner: "acme", revoked: true });
    await cache.invalidateByTag("owner:k1");
    assertEquals(await check("k1"), { owner: "acme", revoked: true });
  },
  "use of an API is counted per user and address": async ({ rateLimit }) => {
    const both = () => rateLimit.checkAll([["API", "user:ada"], ["AUTH", "192.0.2.1"]]);
    for (let i = 0; i < 5; i++) assertEquals((await both()).allowed, true);
    assertEquals((await both()).allowed, false);
    assertEquals((await rateLimit.peek("API", "user:ada")).remaining, 995, "what is refused counts nowhere");
  },
  "namespaces keep keys apart": async ({ cache }) => {
    const [one, other] = [cache.namespace("shop"), cache.namespace("blog")];
    await one.set("user:123", "shop");
    await other.set("user:123", "blog");
    assertEquals([await one.get("user:123"), await other.get("user:123")], ["shop", "blog"]);
    assertEquals(await cache.get("user:123"), undefined);
  },
  "hits and misses are counted": async ({ cache }) => {
    await cache.set("a", 1);
    await cache.get("a");
    await cache.get("b");
    const { hits, misses } = cache.stats();
    assertEquals([hits, misses], [1, 1]);
  },
});
