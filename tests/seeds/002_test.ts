import { assert, assertEquals } from "@std/assert";
import { cacheResponse, healthHandler } from "../../src/http/mod.ts";
import { FIXTURES } from "../images/support.ts";
import { onDocument } from "./seed.ts";

interface User {
  readonly name: string;
}

onDocument("002", {
  "get, set and invalidate with types": async ({ cache }) => {
    await cache.set("key", { name: "Ada" }, { ttl: 300 });
    const user: User | undefined = await cache.get<User>("key");
    assertEquals(user?.name, "Ada");
    assertEquals((await cache.invalidate("key")).status, "done");
    assertEquals(await cache.get("key"), undefined);
  },
  "stale while it is made anew": async ({ cache }) => {
    let made = 0;
    const read = () => cache.getOrSet("news", () => ++made, { ttl: "10ms", staleWhileRevalidate: 60 });
    assertEquals(await read(), 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assertEquals(await read(), 1, "what there is, at once");
    while (await read() === 1) await new Promise((resolve) => setTimeout(resolve, 5));
    assert(made >= 2);
  },
  "values have tags and go by them": async ({ cache }) => {
    await cache.set("user:1", 1, { tags: ["users"] });
    await cache.set("order:1", 1, { tags: ["orders"] });
    assertEquals((await cache.invalidateByTag("users")).status, "done");
    assertEquals([await cache.get("user:1"), await cache.get("order:1")], [undefined, 1]);
  },
  "values go by a pattern": async ({ cache }) => {
    await cache.setMany([["user:1", 1], ["user:2", 2], ["order:1", 3]]);
    assertEquals((await cache.invalidateByPattern("user:*")).removed, 2);
    assertEquals([...await cache.getMany(["user:1", "user:2", "order:1"])], [["order:1", 3]]);
  },
  "what is known of an image: size, type, hash, time": async ({ cache }) => {
    const info = await cache.getImageInfo("png.png");
    assertEquals([info.filename, info.type, info.hash.length], ["png.png", "image/png", 64]);
    assert(info.size > 0 && info.timestamp > 0);
    await cache.invalidateImage("png.png");
    assertEquals(await cache.getImageInfo("png.png"), info);
  },
  "a session is created, read, changed, touched and destroyed": async ({ sessions }) => {
    const { id } = await sessions.create("ada", { theme: "light" }, { tags: ["org:7"] });
    assertEquals((await sessions.get(id))?.userId, "ada");
    assertEquals((await sessions.update(id, { theme: "dark" }))?.data, { theme: "dark" });
    assertEquals([await sessions.touch(id), await sessions.destroy(id), await sessions.get(id)], [
      true,
      true,
      undefined,
    ]);
  },
  "sessions last 24 hours, and are grouped by tags": async ({ sessions }) => {
    const one = await sessions.create("ada", {}, { tags: ["org:7"] });
    await sessions.create("bob", {}, { tags: ["org:7"] });
    const left = one.expiresAt - Date.now();
    assert(left > 86_000_000 && left <= 86_400_000, `a day: ${left}`);
    assertEquals(await sessions.destroyByTag("org:7"), 2);
  },
  "the limits of the document": async ({ rateLimit }) => {
    for (
      const [name, limit, seconds] of [
        ["DEFAULT", 100, 60],
        ["API", 1000, 3600],
        ["AUTH", 5, 300],
        ["STATIC", 1000, 60],
      ] as const
    ) {
      const result = await rateLimit.check(name, "192.0.2.1");
      assertEquals([result.allowed, result.limit, result.remaining], [true, limit, limit - 1], name);
      assert(result.resetAfter <= seconds * 1.1, `${name}: ${result.resetAfter}`); // parts of a window count as a whole
    }
  },
  "routes have limits of their own, with headers and 429": async ({ rateLimit }) => {
    const guarded = rateLimit.guard({ "POST /login": "AUTH", "*": "DEFAULT" }, () => new Response("in"));
    const info = { remoteAddr: { hostname: "192.0.2.7" } };
    const login = () => guarded(new Request("http://localhost/login", { method: "POST" }), info as never);
    for (let i = 0; i < 5; i++) {
      const response = await login();
      assertEquals([response.status, response.headers.has("ratelimit")], [200, true]);
    }
    const refused = await login();
    assertEquals([refused.status, refused.headers.has("retry-after")], [429, true]);
    assertEquals((await guarded(new Request("http://localhost/"), info as never)).status, 200);
  },
  "the health of Redis, the cache and the limits": async (redis) => {
    const { status, cache, rateLimit } = await redis.health() as unknown as Record<string, unknown>;
    assertEquals([status, typeof cache, typeof rateLimit], ["ok", "object", "object"]);
    const response = await healthHandler(redis)(new Request("http://localhost/health"));
    assertEquals((await response.json()).status, "ok");
  },
  "an API's responses are kept with tags": async (redis) => {
    let made = 0;
    const cached = cacheResponse(redis, { ttl: 60, tags: ["products"] });
    const ask = async () =>
      await (await cached(new Request("http://shop/products"), () => Response.json(++made))).json();
    assertEquals([await ask(), await ask()], [1, 1]);
    await redis.cache.invalidateByTag("products");
    assertEquals(await ask(), 2);
  },
  "many at once": async ({ cache }) => {
    assertEquals(await cache.setMany([["a", 1], ["b", 2]], { ttl: 60 }), true);
    assertEquals(Object.fromEntries(await cache.getMany(["a", "b", "c"])), { a: 1, b: 2 });
    assertEquals((await cache.invalidateMany(["a", "b"])).removed, 2);
  },
}, { images: { root: FIXTURES } });
