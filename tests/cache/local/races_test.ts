import { assert, assertEquals, assertLess, assertStrictEquals, assertThrows } from "@std/assert";
import { GatedClient } from "../../support/gated_client.ts";
import {
  openCache,
  type OpenedCache,
  type OpenOptions,
  scriptsRun,
  timesAsked,
  untilCopied,
} from "../../support/open_cache.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;

type Gated = OpenedCache & { client: GatedClient };

/** A cache with copies, whose client does what the test says. */
async function openGated(server: RedisServer, options: OpenOptions = {}): Promise<Gated> {
  const wrap: OpenOptions["wrap"] = (client) => new GatedClient(client);
  return await openCache(server, { local: true, wrap, ...options }) as Gated;
}

/** A promise and how it stands. */
function follow<T>(promise: Promise<T>): { done: boolean; promise: Promise<T> } {
  const followed = { done: false, promise };
  promise.then(() => followed.done = true, () => followed.done = true);
  return followed;
}

/** Does something elsewhere and waits until it was told here. */
async function told(opened: Gated, change: () => Promise<unknown>): Promise<void> {
  const { heard } = opened.client;
  await change();
  await until(() => opened.client.heard > heard, "the change is told");
}

Deno.test({
  name: "A reply that a message has overtaken makes no copy of the old value",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    await using opened = await openGated(server);
    await using other = await openCache(server);
    const old = () => other.cache.set("a", "old", { tags: ["t"] });
    const changes = {
      "set()": () => other.cache.set("a", "new"),
      "touch()": () => other.cache.touch("a", 60),
      "invalidate()": () => other.cache.invalidate("a"),
      "invalidateByTag()": () => other.cache.invalidateByTag("t"),
      "invalidateByTag() as stale": () => other.cache.invalidateByTag("t", { mode: "stale" }),
      "invalidateByPattern()": () => other.cache.invalidateByPattern("a*"),
      "clear()": () => other.cache.clear(),
    };
    for (const [name, change] of Object.entries(changes)) {
      // What a process knows is thrown away with the first read of another life of the records.
      for (const first of [false, true]) {
        await t.step(first ? `${name}, the reply being the first in another life of the records` : name, async () => {
          await old();
          await until(async () => await opened.cache.get("a") === "old", "the value is there");
          await untilCopied(server, opened, "a");
          if (first) await told(opened, () => other.cache.clear());
          await told(opened, old);
          const before = await timesAsked(server);
          opened.client.hold();
          const read = opened.cache.get("a");
          await until(async () => await timesAsked(server) > before, "the server has answered");
          await told(opened, change);
          opened.client.release();
          await read; // it began before the change, so it may have either value
          opened.client.muted = true; // what is told later does not help
          const ran = await timesAsked(server);
          const [value, asked] = [await opened.cache.get("a"), await timesAsked(server) > ran];
          opened.client.unmute();
          assertEquals([value, asked], [{ "set()": "new", "touch()": "old" }[name], true]);
        });
      }
    }
  },
});

Deno.test({
  name: "No copy is used while invalidations of this process wait to be replayed, or are being replayed",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using opened = await openGated(server);
    const { cache, client } = opened;
    await cache.set("a", "old");
    await cache.set("b", 1);
    await untilCopied(server, opened, "a");
    client.down = true;
    assertEquals(await cache.invalidate("a"), { status: "queued" });
    assertEquals(await cache.get("a"), undefined);
    client.down = false;
    client.hold();
    const before = await scriptsRun(server);
    const replay = follow(cache.get("b")); // waits for the replay
    const read = follow(cache.get("a"));
    await until(async () => await scriptsRun(server) > before, "the invalidation is being replayed");
    const during = follow(cache.get("a"));
    await scriptsRun(server); // a round trip of time
    assertEquals([replay.done, read.done, during.done], [false, false, false]);
    client.release();
    assertEquals([await replay.promise, await read.promise, await during.promise], [1, undefined, undefined]);
  },
});

Deno.test({
  name: "A write that the server refuses leaves no copy of what was there before",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using opened = await openGated(server);
    const { cache, client } = opened;
    await cache.set("a", "old");
    await untilCopied(server, opened, "a");
    client.muted = true;
    await server.cli("CONFIG", "SET", "maxmemory", 1);
    assertEquals(await cache.set("a", "new"), false);
    assertEquals(await cache.get("a"), undefined);
  },
});

Deno.test({
  name: "A write of which nobody knows whether it was done leaves no copy of what was there before",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using opened = await openGated(server);
    const { cache, client } = opened;
    await cache.set("a", "old");
    await untilCopied(server, opened, "a");
    client.muted = true;
    client.down = true;
    assertEquals(await cache.set("a", "new"), false);
    assertEquals(await cache.get("a"), undefined);
    client.down = false;
    assertEquals(await cache.get("a"), undefined);
    assertEquals(cache.stats().queued, 0);
  },
});

Deno.test({
  name: "All copies are dropped when the channel is lost, and are made again when it is back",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using opened = await openGated(server);
    await using other = await openCache(server);
    const { cache, client } = opened;
    await cache.set("a", "old");
    await untilCopied(server, opened, "a");
    client.muted = true; // the message about the write is lost with the channel
    await other.cache.set("a", "new");
    assertEquals(await cache.get("a"), "old");
    await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await until(async () => await cache.get("a") === "new", "the loss is noticed");
    client.muted = false;
    await untilCopied(server, opened, "a");
    assertEquals(await cache.get("a"), "new");
  },
});

Deno.test({
  name: "Changes by a user who may not publish are seen within the bound",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    await server.cli("ACL", "SETUSER", "quiet", "on", ">secret", "~*", "+@all", "resetchannels");
    await using opened = await openCache(server, { local: true });
    await using other = await openCache(server, { username: "quiet", password: "secret" });
    const changes = {
      "set()": () => other.cache.set("a", "new"),
      "invalidate()": () => other.cache.invalidate("a"),
      "invalidateByTag()": () => other.cache.invalidateByTag("t"),
      "invalidateByPattern()": () => other.cache.invalidateByPattern("a*"),
      "clear()": () => other.cache.clear(),
    };
    for (const [name, change] of Object.entries(changes)) {
      await t.step(name, async () => {
        await opened.cache.set("a", "old", { tags: ["t"] });
        await untilCopied(server, opened, "a");
        await change();
        const changed = performance.now();
        const wanted = { "set()": "new" }[name];
        await until(async () => await opened.cache.get("a") === wanted, "the change is seen");
        assertLess(performance.now() - changed, 1000);
      });
    }
  },
});

Deno.test({
  name: "Values of copies cannot be spoilt by their callers",
  fn: async (t) => {
    await using server = await RedisServer.start();
    for (const protect of ["freeze", "clone"] as const) {
      await t.step(protect, async () => {
        await using opened = await openCache(server, { local: { protect } });
        const { cache } = opened;
        await cache.set("plain", { list: [1] });
        await cache.set("rich", { at: new Date(5), map: new Map([["a", [1]]]) });
        for (const key of ["plain", "rich"]) {
          await until(async () => {
            await cache.get(key);
            const before = cache.stats().hits;
            return await cache.get(key) !== undefined && cache.stats().hits > before;
          }, "it is there");
        }
        await untilCopied(server, opened, "plain");
        await untilCopied(server, opened, "rich");
        const plain = await cache.get("plain") as { list: number[] };
        if (protect === "freeze") {
          assertThrows(() => plain.list.push(2), TypeError);
          assertStrictEquals(await cache.get("plain"), plain);
        } else {
          plain.list.push(2);
        }
        const rich = await cache.get("rich") as { at: Date; map: Map<string, number[]> };
        rich.at.setTime(0);
        rich.map.get("a")!.push(2);
        rich.map.clear();
        assertEquals(await cache.get("plain"), { list: [1] });
        assertEquals(await cache.get("rich"), { at: new Date(5), map: new Map([["a", [1]]]) });
        assertEquals(await cache.getMany(["plain"]), new Map([["plain", { list: [1] }]]));
      });
    }
  },
});

Deno.test({
  name: "A copy is not served once its entry is stale, and is refreshed as an entry is",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using opened = await openCache(server, { local: true });
    const { cache } = opened;
    await cache.set("warm", 1);
    await untilCopied(server, opened, "warm");
    await cache.set("a", "old", { ttl: "300ms", staleWhileRevalidate: "1m" });
    await untilCopied(server, opened, "a");
    await until(async () => await cache.get("a") === undefined, "it is stale");
    assertEquals((await cache.lookup("a")).status, "stale");
    assertEquals(await cache.getOrSet("a", () => "new"), "old");
    await until(async () => await cache.get("a") === "new", "it is refreshed");
    await untilCopied(server, opened, "a");
  },
});

Deno.test("A cache over the embedded store has no use for copies", async () => {
  const { Cache } = await import("../../../src/cache/cache.ts");
  const { MemoryStore } = await import("../../../src/cache/memory_store.ts");
  await using cache = new Cache(new MemoryStore(), { local: { maxEntries: 1 } });
  const value = { n: [1] };
  await cache.setMany({ a: value, b: 2 });
  const read = await cache.get("a") as typeof value;
  read.n.push(2);
  assertEquals(await cache.get("a"), value);
  assert(!Object.isFrozen(read));
});
