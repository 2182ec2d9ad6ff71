import { assert, assertEquals } from "@std/assert";
import { onDocument, Users } from "./seed.ts";

onDocument("004", {
  "a profile is read from the cache, else from the database, for 5 minutes": async ({ cache }) => {
    const users = new Users();
    users.put("1", { name: "Ada" });
    const getUser = (id: string) => cache.getOrSet(`user:${id}`, () => users.find(id), { ttl: 300 });
    assertEquals([await getUser("1"), await getUser("1"), users.asked], [{ name: "Ada" }, { name: "Ada" }, 1]);
  },
  "a session is stored for a week, checked and revoked": async ({ sessions }) => {
    const { id } = await sessions.create("ada", { userAgent: "curl" }, { ttl: "7d" });
    assertEquals((await sessions.get(id))?.data, { userAgent: "curl" });
    assertEquals(await sessions.destroy(id), true);
    assertEquals(await sessions.get(id), undefined);
  },
  "a hundred calls a minute of each address and endpoint": async ({ rateLimit }) => {
    const limiter = rateLimit.define("ENDPOINT", { limit: 100, window: 60 });
    const all = await Promise.all(
      Array.from({ length: 120 }, () => limiter.check("ENDPOINT", "192.0.2.1:/login")),
    );
    assertEquals(all.filter(({ allowed }) => allowed).length, 100);
    assertEquals((await limiter.check("ENDPOINT", "192.0.2.1:/other")).allowed, true);
  },
  "what is changed is written through": async ({ cache }) => {
    const users = new Users();
    const updateUser = async (id: string, data: Record<string, unknown>) => {
      const user = users.put(id, data);
      await cache.set(`user:${id}`, user, 300);
      return user;
    };
    await updateUser("1", { name: "Ada" });
    assertEquals(await cache.getOrSet("user:1", () => users.find("1")), { name: "Ada" });
    assertEquals(users.asked, 0);
  },
  "what is changed is invalidated": async ({ cache }) => {
    await cache.set("user:1", "old", 300);
    await cache.invalidate("user:1");
    assertEquals(await cache.get("user:1"), undefined);
  },
  "all of a family goes by a pattern, without KEYS": async ({ cache }) => {
    await cache.setMany([["family:7:members", []], ["family:7:plan", {}], ["family:8:members", []]]);
    assertEquals((await cache.invalidateByPattern("family:7:*")).removed, 2);
    assertEquals(await cache.has("family:8:members"), true);
  },
  "the cache service: get, set, del, getOrSet": async ({ cache }) => {
    const service = {
      get: async <T>(key: string): Promise<T | null> => await cache.get<T>(key) ?? null,
      set: async (key: string, value: unknown, ttl: number): Promise<void> => void await cache.set(key, value, ttl),
      del: async (key: string): Promise<void> => void await cache.delete(key),
      getOrSet: <T>(key: string, fetcher: () => Promise<T>, ttl: number): Promise<T> =>
        cache.getOrSet(key, fetcher, ttl),
    };
    assertEquals(await service.get("a"), null);
    await service.set("a", 0, 60);
    let fetched = 0;
    assertEquals(await service.getOrSet("a", () => Promise.resolve(++fetched), 60), 0, "0 is a value");
    await service.del("a");
    assertEquals(await service.getOrSet("a", () => Promise.resolve(++fetched), 60), 1);
    assertEquals(fetched, 1);
  },
  "keys are listed, and how long they last": async ({ cache }) => {
    await cache.setMany([["user:1", 1], ["user:2", 2], ["other", 3]], { ttl: 300 });
    const keys: string[] = [];
    for await (const { key, ttl } of cache.inspect("user:*")) {
      keys.push(key);
      assert(ttl > 280 && ttl <= 300);
    }
    assertEquals(keys.sort(), ["user:1", "user:2"]);
    assertEquals(await cache.touch("user:1", 600), true);
    assert((await cache.ttl("user:1"))! > 500);
  },
  "all is cleared": async ({ cache }) => {
    await cache.setMany([["a", 1], ["b", 2]]);
    await cache.clear();
    assertEquals([await cache.has("a"), await cache.has("b")], [false, false]);
  },
  "a notification is queued, and sent by one of the workers": async ({ streams }) => {
    const notifications = streams.stream<{ to: string }>("notifications");
    await notifications.add({ to: "ada" });
    for await (const item of notifications.consume("senders")) {
      assertEquals(item.value, { to: "ada" });
      await item.ack();
      break;
    }
    assertEquals(await notifications.pending("senders"), []);
  },
});
