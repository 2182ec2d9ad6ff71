import { assert, assertEquals } from "@std/assert";
import { onDocument, Users } from "./seed.ts";

const john = { name: "John Doe", email: "john@example.com" };

onDocument("000", {
  "a value is stored with the default lifetime": async ({ cache }) => {
    assertEquals(await cache.set("user:profile:123", john), true);
    const left = (await cache.ttl("user:profile:123"))!;
    assert(left > 3500 && left <= 3600, `an hour: ${left}`);
  },
  "a cached value is read": async ({ cache }) => {
    await cache.set("user:profile:123", john);
    assertEquals((await cache.get<typeof john>("user:profile:123"))?.name, "John Doe");
  },
  "it is checked whether a key exists": async ({ cache }) => {
    assertEquals(await cache.has("user:profile:123"), false);
    await cache.set("user:profile:123", john);
    assertEquals(await cache.has("user:profile:123"), true);
  },
  "a key is deleted": async ({ cache }) => {
    await cache.set("user:profile:123", john);
    assertEquals([await cache.delete("user:profile:123"), await cache.delete("user:profile:123")], [true, false]);
    assertEquals(await cache.get("user:profile:123"), undefined);
  },
  "lifetimes of one's own: 30 seconds, an hour, a day, for ever": async ({ cache }) => {
    for (
      const [key, ttl] of [["stock:price:AAPL", 30], ["product:details:456", 3600], ["app:config", 86_400]] as const
    ) {
      await cache.set(key, 175.34, ttl);
      const left = (await cache.ttl(key))!;
      assert(left > ttl - 20 && left <= ttl, `${key}: ${left}`);
    }
    await cache.set("system:constants", { pi: 3.14 }, 0);
    assertEquals(await cache.ttl("system:constants"), Infinity);
  },
  "a session is stored for 30 minutes": async ({ sessions }) => {
    const { id } = await sessions.create("john", { cart: ["bread"] }, { ttl: 1800 });
    const session = (await sessions.get(id))!;
    assertEquals([session.userId, session.data], ["john", { cart: ["bread"] }]);
    const left = session.expiresAt - Date.now();
    assert(left > 1_700_000 && left <= 1_800_000, `half an hour: ${left}`);
  },
  "a function has a cache in front of it": async ({ cache }) => {
    const products = new Users();
    products.put("7", { price: 3 });
    const getProductData = cache.wrap((id: string) => products.find(id), { key: (id) => `product:${id}`, ttl: 300 });
    const all = await Promise.all([getProductData("7"), getProductData("7"), getProductData("7")]);
    assertEquals([...all, await getProductData("7")], Array(4).fill({ price: 3 }));
    assertEquals(products.asked, 1);
  },
  "a key is deleted when what it was made of changes": async ({ cache }) => {
    const products = new Users();
    products.put("7", { price: 3 });
    const read = () => cache.getOrSet("product:7", () => products.find("7"), { ttl: 300 });
    assertEquals(await read(), { price: 3 });
    products.put("7", { price: 4 });
    await cache.invalidate("product:7");
    assertEquals(await read(), { price: 4 });
  },
  "API access is bound, and services speak with each other through one Redis": async ({ rateLimit }) => {
    const limiter = rateLimit.define("PARTNER", { limit: 2, window: 60 });
    const allowed = [];
    for (let i = 0; i < 3; i++) allowed.push((await limiter.check("PARTNER", "acme")).allowed);
    assertEquals(allowed, [true, true, false]);
  },
  "services talk to each other as it happens": async ({ pubsub }) => {
    const orders = pubsub.channel<{ id: number }>("orders");
    await using messages = orders.subscribe();
    await messages.ready;
    await orders.publish({ id: 7 });
    for await (const { value, gap } of messages) {
      if (gap) continue;
      assertEquals(value, { id: 7 });
      break;
    }
  },
  "one service at a time has what is shared": async ({ locks }) => {
    let running = 0;
    const report = () =>
      locks.withLock("report", { wait: "20s" }, async () => {
        assertEquals(++running, 1);
        await Promise.resolve();
        running--;
      });
    await Promise.all([report(), report(), report()]);
  },
});
