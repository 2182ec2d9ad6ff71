import { assert, assertEquals, assertRejects } from "@std/assert";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { connect } from "../../mod.ts";
import { secondaryStorage } from "../../src/stores/mod.ts";
import { onBothStores } from "../sessions/served.ts";
import { RedisServer } from "../support/redis_server.ts";

onBothStores("secondaryStorage() keeps texts as better-auth has them", async (connect) => {
  await using redis = await connect();
  const storage = secondaryStorage(redis);
  assertEquals(await storage.get("a"), null);
  await storage.set("a", '{"session":1}', 60);
  await storage.set("b", "for ever");
  assertEquals([await storage.get("a"), await storage.get("b")], ['{"session":1}', "for ever"]);
  await storage.delete("a");
  assertEquals(await storage.get("a"), null);
  const left = await redis.cache.namespace("auth").ttl("b");
  assert(left === Infinity);
});

onBothStores(
  "secondaryStorage() gives a text away once, and counts in windows that begin with the first call",
  async (connect) => {
    await using redis = await connect();
    await using other = await connect();
    const storages = [secondaryStorage(redis), secondaryStorage(other)];
    // Two processes; the embedded store has one.
    const both = other.store === "redis" ? storages : [storages[0]!, storages[0]!];
    assertEquals(await both[0]!.getAndDelete("none"), null);
    for (let round = 0; round < 5; round++) {
      await both[0]!.set("token", `${round}`, 60);
      const given = await Promise.all(Array.from({ length: 20 }, (_, i) => both[i % 2]!.getAndDelete("token")));
      assertEquals(given.filter((one) => one !== null), [`${round}`]);
    }
    // What is stored while somebody takes what was there before is another text, and stays.
    for (let round = 0; round < 20; round++) {
      await both[0]!.set("login", "old", 60);
      const [given] = await Promise.all([both[0]!.getAndDelete("login"), both[1]!.set("login", "new", 60)]);
      assertEquals([await both[1]!.get("login"), given === "old" || given === "new"], [
        given === "new" ? null : "new",
        true,
      ]);
    }
    const counts = await Promise.all(Array.from({ length: 20 }, (_, i) => both[i % 2]!.increment("10.0.0.1", 60)));
    assertEquals(counts.sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i + 1));
    assertEquals(await both[0]!.increment("10.0.0.2", 60), 1);
    assertEquals([await both[0]!.increment("short", 0.05), await both[0]!.increment("short", 0.05)], [1, 2]);
    await new Promise((resolve) => setTimeout(resolve, 80));
    assertEquals(await both[0]!.increment("short", 0.05), 1);
  },
);

Deno.test("secondaryStorage() tells an outage, so that nobody is logged out by it", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, commandTimeout: "200ms", on: () => {} });
  const storage = secondaryStorage(redis);
  await storage.set("a", "1");
  await server.kill();
  await assertRejects(() => storage.get("a"), Error, "Cannot read text of better-auth");
  await assertRejects(() => storage.getAndDelete("a"), Error, "Cannot read text of better-auth");
  await assertRejects(() => storage.set("a", "2"), Error, "Cannot store text of better-auth");
  assertEquals([await storage.increment("ip", 60), await storage.increment("ip", 60)], [1, 2]);
});

onBothStores("better-auth has its sessions and limits in Larder", async (connect) => {
  await using redis = await connect();
  const origin = "http://localhost:3000";
  const open = (storage: ReturnType<typeof secondaryStorage>) =>
    betterAuth({
      baseURL: origin,
      secret: "a secret for tests that is long enough 0123456789",
      database: memoryAdapter(database),
      emailAndPassword: { enabled: true },
      secondaryStorage: storage,
      rateLimit: { enabled: true, storage: "secondary-storage", window: 60, max: 5 },
      telemetry: { enabled: false },
    });
  const database = { user: [], session: [], account: [], verification: [] };
  const auth = open(secondaryStorage(redis));
  const ask = async (path: string, body?: unknown, cookie = "") => {
    const headers = { "content-type": "application/json", origin, cookie, "x-forwarded-for": "203.0.113.9" };
    const init = body === undefined ? { headers } : { method: "POST", body: JSON.stringify(body), headers };
    return await auth.handler(new Request(`${origin}/api/auth${path}`, init));
  };
  const made = await ask("/sign-up/email", { email: "ada@example.com", password: "correct horse", name: "Ada" });
  assertEquals([made.status, (await made.json()).user.name], [200, "Ada"]);
  const cookie = made.headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
  assertEquals((await (await ask("/get-session", undefined, cookie)).json()).user.email, "ada@example.com");
  assertEquals(database.session, [], "sessions are in the storage only");
  assert((await Array.fromAsync(redis.cache.namespace("auth").inspect("*"))).length >= 2);
  assertEquals((await ask("/sign-out", {}, cookie)).status, 200);
  assertEquals(await (await ask("/get-session", undefined, cookie)).json(), null);
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await ask("/get-session", undefined, cookie)).status);
  assertEquals(statuses, [200, 200, 200, 429]);
});
