import { assert, assertEquals, assertRejects } from "@std/assert";
import { type RedisError, UnavailableError } from "../../src/errors.ts";
import type { Cache } from "../../src/cache/cache.ts";
import type { NewEntry } from "../../src/cache/store.ts";
import { RedisStore } from "../../src/cache/redis/store.ts";
import { Batch } from "../../src/redis/batch.ts";
import { isDeepStrictEqual } from "node:util";
import { FakeClock, Outcome, ScriptedClient } from "../redis/scripted_client.ts";
import { openCache, untilCopied } from "../support/open_cache.ts";
import { APP_RIGHTS } from "../support/app_rights.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";

const ignore = !RedisServer.controllable;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (payload: Uint8Array | undefined) => payload && new TextDecoder().decode(payload);

function entry(value: string, given: Partial<NewEntry> = {}): NewEntry {
  return {
    payload: bytes(value),
    flags: 0,
    fresh: 60_000,
    stale: 60_000,
    error: 60_000,
    tags: [],
    loadTime: 0,
    ...given,
  };
}

Deno.test("Cache keeps the order of what is done in one tick", async (t) => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await using opened = await openCache(server, { ttl: 60 });
  const { cache } = opened;
  for (const buckets of [1, 4]) {
    await t.step(`in a process that has neither read nor written, ${buckets} slots`, async () => {
      const keys = Array.from({ length: 20 }, (_, i) => `new${i}`);
      const opposites = {
        delete: (cache: Cache) => cache.invalidateMany(keys),
        tag: (cache: Cache) => cache.invalidateByTag("new"),
        pattern: (cache: Cache) => cache.invalidateByPattern("new*"),
        clear: (cache: Cache) => cache.clear(),
      };
      for (const [name, undo] of Object.entries(opposites)) {
        await using fresh = await openCache(server, { ttl: 60, buckets, namespace: `${name}-${buckets}` });
        const sets = keys.map((key) => fresh.cache.set(key, 1, { tags: ["new"] }));
        const [undone, seen] = await Promise.all([undo(fresh.cache), fresh.cache.get("new0"), ...sets]);
        assertEquals([undone.status, seen], ["done", undefined], name);
        assertEquals((await fresh.cache.getMany(keys)).size, 0, name);
        assertEquals(fresh.log.of("cache.error"), []);
      }
    });
  }
  await t.step("when the server has forgotten the script of the one and not that of the other", async () => {
    await cache.set("forgotten", 1);
    await server.cli("SCRIPT", "FLUSH");
    await cache.delete("another");
    await Promise.all([cache.set("forgotten", 2), cache.delete("forgotten")]);
    assertEquals(await cache.get("forgotten"), undefined);
    assertEquals(await cache.set("forgotten", 3), true);
  });
  await t.step("set, then delete", async () => {
    const [stored, removed] = await Promise.all([cache.set("a", 1), cache.delete("a")]);
    assertEquals([stored, removed, await cache.get("a")], [true, true, undefined]);
  });
  await t.step("delete, then set, then delete another", async () => {
    await cache.set("b", "old");
    const done = await Promise.all([cache.delete("b"), cache.set("b", "new"), cache.delete("c")]);
    assertEquals([done, await cache.get("b")], [[true, true, false], "new"]);
  });
  await t.step("the last of several set() wins", async () => {
    const values = Array.from({ length: 30 }, (_, i) => i);
    const stored = await Promise.all(values.map((i) => cache.set("c", i)));
    assertEquals([new Set(stored), await cache.get("c")], [new Set([true]), 29]);
  });
  await t.step("set, then invalidate the tag", async () => {
    await Promise.all([cache.set("d", 1, { tags: ["tag"] }), cache.invalidateByTag("tag")]);
    assertEquals(await cache.get("d"), undefined);
  });
  await t.step("invalidate the tag, then set", async () => {
    await Promise.all([cache.invalidateByTag("tag"), cache.set("d", 2, { tags: ["tag"] })]);
    assertEquals(await cache.get("d"), 2);
  });
  await t.step("clear, then set, with a touch behind", async () => {
    const [, , touched] = await Promise.all([cache.clear(), cache.set("e", 1), cache.touch("e", "1h")]);
    assertEquals([touched, await cache.get("e"), await cache.get("d")], [true, 1, undefined]);
  });
  await t.step("setMany, then delete one of them", async () => {
    const [stored, removed] = await Promise.all([cache.setMany({ g: 1, h: 2 }), cache.delete("g")]);
    assertEquals([stored, removed, await cache.get("g"), await cache.get("h")], [true, true, undefined, 2]);
  });
  await t.step("set, then a command of one's own", async () => {
    const key = (await server.cli("KEYS", "*:h") as string[])[0]!.replace(/h$/, "i");
    const [, found] = await Promise.all([cache.set("i", 1), opened.store.batch.send("EXISTS", [key])]);
    assertEquals(found, 1);
  });
  await t.step("a get() between two set() sees the last: reads go last", async () => {
    const [, between] = await Promise.all([cache.set("f", 1), cache.get("f"), cache.set("f", 2)]);
    assertEquals(between, 2);
  });
});

Deno.test("RedisStore.write() answers each of the writes of one tick by itself", async (t) => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await using opened = await openCache(server);
  const { store } = opened;
  const valueOf = async (key: string) => text((await store.read(key)).entry?.payload);

  await t.step("a loader whose lease is lost is refused, those beside it are not", async () => {
    const held = await store.read("held", { lease: 5000 });
    const lost = await store.read("lost", { lease: 5000 });
    await store.invalidateKeys(["lost"]);
    const fence = ({ lease, epoch, clock }: typeof held) => ({ lease, epoch, clock });
    const stored = await Promise.all([
      store.write("first", entry("1")),
      store.write("lost", entry("2"), fence(lost)),
      store.write("held", entry("3", { tags: ["x", "ü"] }), fence(held)),
      store.write("last", entry("4", { fresh: Infinity, stale: Infinity, error: Infinity })),
    ]);
    assertEquals(stored, [true, false, true, true]);
    assertEquals(await Promise.all(["first", "lost", "held", "last"].map(valueOf)), ["1", undefined, "3", "4"]);
    assertEquals((await store.read("held")).entry?.tags, ["x", "ü"]);
    assertEquals((await store.read("last")).entry?.freshUntil, 9e15);
  });

  await t.step("a loader's value whose tag was invalidated meanwhile is refused", async () => {
    const { lease, epoch, clock } = await store.read("tagged", { lease: 5000 });
    await store.invalidateTags(["tag"], "hard");
    const fence = { lease, epoch, clock };
    const stored = await Promise.all([
      store.write("tagged", entry("old", { tags: ["other", "tag"] }), fence),
      store.write("beside", entry("new", { tags: ["other", "tag"] })),
    ]);
    assertEquals([stored, await valueOf("tagged"), await valueOf("beside")], [[false, true], undefined, "new"]);
  });

  await t.step("another lifetime for each", async () => {
    await Promise.all(
      [1, 2, 3].map((i) => store.write(`l${i}`, entry("x", { fresh: i, stale: i, error: i * 10_000 }))),
    );
    const names = [1, 2, 3].map((i) => `l${i}`);
    const keys = await Promise.all(names.map(async (name) => (await server.cli("KEYS", `*:${name}`) as string[])[0]!));
    const ttls = await Promise.all(keys.map(async (key) => Math.ceil(Number(await server.cli("PTTL", key)) / 10_000)));
    assertEquals(ttls, [1, 2, 3]);
  });

  await t.step("more than one script call takes, in number and in bytes", async () => {
    const many = Array.from({ length: 257 }, (_, i) => `many${i}`);
    const large = ["a", "b", "c", "d"].map((letter) => letter.repeat(700_000));
    const writes = [
      ...many.map((key) => store.write(key, entry(key))),
      ...large.map((value, i) => store.write(`large${i}`, entry(value))),
    ];
    assertEquals(new Set(await Promise.all(writes)), new Set([true]));
    assertEquals(await Promise.all(many.map(valueOf)), many);
    assertEquals(await Promise.all(large.map((_, i) => valueOf(`large${i}`))), large);
  });

  await t.step("a server that has forgotten the script is sent it again", async () => {
    await server.cli("SCRIPT", "FLUSH");
    assertEquals(await Promise.all([store.write("s1", entry("1")), store.write("s2", entry("2"))]), [true, true]);
    assertEquals([await valueOf("s1"), await valueOf("s2")], ["1", "2"]);
  });

  await t.step("something else in the place of an entry is replaced", async () => {
    const [key] = await server.cli("KEYS", "*:s1") as string[];
    await server.cli("DEL", key!);
    await server.cli("RPUSH", key!, "a", "list");
    assertEquals(await Promise.all([store.write("s1", entry("3")), store.write("s2", entry("4"))]), [true, true]);
    assertEquals([await valueOf("s1"), await valueOf("s2")], ["3", "4"]);
  });
});

Deno.test({
  name: "RedisStore.write() tells each of the writes of one tick what a full server said",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS, config: { "maxmemory-policy": "noeviction" } });
    await using opened = await openCache(server, { ttl: 60 });
    const { cache, log } = opened;
    for (const key of ["a", "b", "c"]) await cache.set(key, "old");
    await server.cli("CONFIG", "SET", "maxmemory", 1);
    assertEquals(await Promise.all(["a", "b"].map((key) => cache.set(key, "new"))), [false, false]);
    assertEquals(log.of("cache.error").map(({ key }) => key), ["a", "b"]);
    await server.cli("CONFIG", "SET", "maxmemory", 0);
    assertEquals([await cache.get("a"), await cache.get("b"), await cache.get("c")], [undefined, undefined, "old"]);
  },
});

Deno.test({
  name: "RedisStore.write() on a full server removes what was there, though a loader is refused in the same tick",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS, config: { "maxmemory-policy": "noeviction" } });
    await using opened = await openCache(server, { ttl: 60 });
    const { cache, store, log } = opened;
    await cache.set("victim", "old");
    await store.write("refreshed", entry("stale", { fresh: 1, tags: ["tag"] }));
    await until(async () => (await store.read("refreshed")).state !== "fresh", "it is stale");
    const { lease, epoch, clock } = await store.read("refreshed", { lease: 5000 });
    assert(lease > 0);
    await cache.invalidateByTag("tag");
    await server.cli("CONFIG", "SET", "maxmemory", 1);
    const loaded = store.write("refreshed", entry("loaded", { tags: ["tag"] }), { lease, epoch, clock });
    assertEquals(await Promise.all([loaded, cache.set("victim", "new")]), [false, false]);
    assertEquals(log.of("cache.error").map(({ error }) => (error as RedisError).code), ["OOM"]);
    assertEquals([await cache.get("victim"), await cache.get("refreshed"), store.queued], [undefined, undefined, 0]);
  },
});

Deno.test("Copies in other processes hear of all that was written or removed in one tick", async () => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await using writing = await openCache(server, { ttl: 60 });
  await using reading = await openCache(server, { ttl: 60, local: true });
  const keys = ["a", "b:c", "ü", "d e"];
  await Promise.all(keys.map((key) => writing.cache.set(key, 1)));
  for (const key of keys) await untilCopied(server, reading, key);
  const seen = async () => new Set(await Promise.all(keys.map((key) => reading.cache.get(key))));
  await Promise.all(keys.map((key) => writing.cache.set(key, 2)));
  await until(async () => isDeepStrictEqual(await seen(), new Set([2])), "all that was written is seen");
  for (const key of keys) await untilCopied(server, reading, key);
  await Promise.all([...keys.slice(2).map((key) => writing.cache.delete(key)), writing.cache.invalidateMany(keys)]);
  await until(async () => isDeepStrictEqual(await seen(), new Set([undefined])), "all that was removed is gone");
});

Deno.test("Keys and tags may begin with a byte order mark", async () => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  await using writing = await openCache(server, { ttl: 60 });
  await using reading = await openCache(server, { ttl: 60, local: true });
  const [key, tag] = ["\uFEFFkey", "\uFEFFtag"];
  await writing.cache.set(key, "\uFEFFold", { tags: [tag] });
  assertEquals((await writing.cache.lookup(key)).tags, [tag]);
  await untilCopied(server, reading, key);
  assertEquals(await reading.cache.get(key), "\uFEFFold");
  await writing.cache.set(key, "new", { tags: [tag] });
  await until(async () => await reading.cache.get(key) === "new", "the copy is gone");
  assertEquals((await Array.fromAsync(writing.cache.inspect())).map(({ key }) => key), [key]);
  await writing.cache.invalidateByTag(tag);
  await using late = await openCache(server, { ttl: 60 });
  for (const { cache } of [writing, late]) assertEquals(await cache.get(key), undefined);
  await until(async () => await reading.cache.get(key) === undefined, "the copy is gone");
});

Deno.test("RedisStore.write() keeps no more waiting than a batch may", async () => {
  const client = new ScriptedClient();
  const batch = new Batch(client, { commandTimeout: 60_000, maxQueued: 3 });
  await using store = new RedisStore(batch, { namespace: "test" });
  client.answer = ({ name }) => name === "TIME" ? [bytes("1700000000"), bytes("0")] : 1_700_000_000_000;
  await store.write("first", entry("0"));
  client.answer = undefined;
  const out = store.write("out", entry("1"));
  while (client.writes.length < 3) await Promise.resolve();
  const waiting = ["a", "b", "c"].map((key) => store.write(key, entry("2")));
  const { reason } = await assertRejects(() => store.write("d", entry("3")), UnavailableError);
  assertEquals(reason, "overload");
  client.answer = () => 1_700_000_000_000;
  client.writes[2]!.resolve([1_700_000_000_000]);
  assertEquals(await Promise.all([out, ...waiting]), [true, true, true, true]);
  assertEquals(client.names, [["TIME"], ["EVAL"], ["EVALSHA"], ["EVALSHA"]]);
  await batch.close();
});

Deno.test("RedisStore keeps no more waiting for a replay than a batch may", async () => {
  const client = new ScriptedClient();
  const batch = new Batch(client, { commandTimeout: 50, maxQueued: 3 });
  const store = new RedisStore(batch, { namespace: "test" });
  assertEquals(await store.invalidateKeys(["a"]), { status: "queued" });
  const waiting = Array.from({ length: 8 }, (_, i) => store.write(`k${i}`, entry("x")));
  const ends = await Promise.allSettled(waiting);
  const reasons = ends.map((end) => end.status === "rejected" && (end.reason as UnavailableError).reason);
  assertEquals(reasons.map((reason) => reason === "overload"), [false, false, false, true, true, true, true, true]);
  client.answer = () => 1;
  await store[Symbol.asyncDispose]();
  await batch.close();
});

Deno.test("RedisStore.write() ends at its deadline, also when it has to be repeated", async () => {
  using clock = new FakeClock();
  const client = new ScriptedClient();
  const batch = new Batch(client, { commandTimeout: 500 });
  const store = new RedisStore(batch, { namespace: "test" });
  const write = new Outcome(store.write("a", entry("1")));
  await clock.settle();
  client.writes[0]!.resolve([[bytes("1700000000"), bytes("0")]]);
  await clock.settle();
  await clock.pass(400);
  client.writes[1]!.resolve([[-1_700_000_000_000]]); // too late, says the server
  await clock.settle();
  assertEquals(client.names, [["TIME"], ["EVAL"], ["EVALSHA"]]);
  await clock.pass(99);
  assertEquals(write.state, "pending");
  await clock.pass(1);
  assertEquals(write.state, "timeout");
  client.writes[2]!.resolve([1_700_000_000_500]);
  client.answer = () => 1;
  await store[Symbol.asyncDispose]();
  await batch.close();
});
