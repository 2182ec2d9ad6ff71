/**
 * Values that are long, many, foreign or damaged: how much is asked for at a time, and what is not asked for at all.
 *
 * @module
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { connect, type Larder, type LarderEvent } from "../../../mod.ts";
import { calmly } from "../../support/calm.ts";
import { RedisServer } from "../../support/redis_server.ts";

const ignore = !RedisServer.controllable;
const MIB = 2 ** 20;

interface Opened extends AsyncDisposable {
  readonly server: RedisServer;
  /** Who stores. */
  readonly one: Larder;
  /** Who has not seen anything yet. */
  readonly other: Larder;
  readonly events: LarderEvent[];
}

async function open(cache: Parameters<typeof connect>[0] = {}): Promise<Opened> {
  const server = await RedisServer.start();
  const events: LarderEvent[] = [];
  const options = { url: server.url, namespace: "long", ...cache };
  const one = await connect({ ...options, commandTimeout: "10s" });
  const other = await connect({ ...options, on: (event) => void events.push(event) });
  return {
    server,
    one,
    other,
    events,
    async [Symbol.asyncDispose]() {
      await one.close();
      await other.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** How many bytes the server has sent so far. */
async function sent(server: RedisServer): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(String(await server.cli("INFO", "stats")))![1]);
}

function failures(events: readonly LarderEvent[]): unknown[] {
  return events.filter(({ type }) => type === "cache.error");
}

for (const [count, size] of [[48, MIB], [8, 7 * MIB], [64, MIB]] as const) {
  Deno.test({
    name: `Cache.getMany() finds ${count} values of ${size / MIB} MiB at the default deadline`,
    ignore,
    fn: () =>
      calmly(async () => {
        await using opened = await open();
        const { one, other, events } = opened;
        const keys = Array.from({ length: count }, (_, i) => `key:${i}`);
        for (const key of keys) await one.cache.set(key, key + "x".repeat(size), { ttl: 600 });
        for (const _ of ["not seen yet", "known"]) {
          const found = await other.cache.getMany<string>(keys);
          assertEquals([found.size, failures(events)], [count, []]);
          for (const key of keys) {
            assert(found.get(key)!.startsWith(key) && found.get(key)!.length === key.length + size);
          }
        }
        const all = await Promise.all(keys.map((key) => other.cache.getOrSet(key, () => "loaded")));
        assertEquals(all.filter((value) => value === "loaded"), []);
      }, 4),
  });
}

Deno.test({
  name: "A foreign value of 100 MiB under a key is a miss that is not transferred, and the next load replaces it",
  ignore,
  fn: async () => {
    await using opened = await open();
    const { server, one, other, events } = opened;
    const keys = Array.from({ length: 20 }, (_, i) => `key:${i}`);
    for (const key of keys) await one.cache.set(key, key);
    for (const [first, name] of [[0, "no entry"], [1, "what looks like an entry"]] as const) {
      const key = `foreign:${first}`;
      await server.cli("SETRANGE", `{long}:c:${key}`, 100 * MIB, "x");
      // The fixed part of an entry without tags.
      if (first === 1) await server.cli("EVAL", "redis.call('SETRANGE', KEYS[1], 0, '\\1')", 1, `{long}:c:${key}`);
      const before = await sent(server);
      for (let i = 0; i < 5; i++) {
        const found = await Promise.all([other.cache.get(key), ...keys.map((key) => other.cache.get(key))]);
        assertEquals(found, [undefined, ...keys], name);
      }
      assertEquals((await other.cache.getMany([key, ...keys])).size, 20);
      assertLess(await sent(server) - before, MIB);
      assert(events.some((event) => event.type === "cache.unreadable" && event.key === key));
      assertEquals(await other.cache.getOrSet(key, () => name, { ttl: 60 }), name);
      assertEquals([await other.cache.get(key), await one.cache.get(key)], [name, name]);
      assertLess(await sent(server) - before, MIB);
    }
    assertEquals(failures(events), []);
  },
});

Deno.test({
  name: "Something of another type under a key is a miss, and the next load replaces it",
  ignore,
  fn: async () => {
    await using opened = await open();
    const { server, other, events } = opened;
    await server.cli("RPUSH", "{long}:c:list", "x");
    await server.cli("HSET", "{long}:c:hash", "x", "y");
    assertEquals(await Promise.all([other.cache.get("list"), other.cache.get("hash")]), [undefined, undefined]);
    const load = (key: string) => other.cache.getOrSet(key, () => key);
    assertEquals(await Promise.all([load("list"), load("hash")]), ["list", "hash"]);
    assertEquals(await Promise.all([other.cache.get("list"), other.cache.get("hash")]), ["list", "hash"]);
    assertEquals(failures(events), []);
  },
});

Deno.test({
  name: "A known key under which somebody puts 100 MiB is a miss, and is not transferred twice",
  ignore,
  fn: async () => {
    await using opened = await open({ commandTimeout: "5s" });
    const { server, other } = opened;
    await other.cache.set("key", 1);
    assertEquals(await other.cache.get("key"), 1);
    await server.cli("SETRANGE", "{long}:c:key", 100 * MIB, "x");
    await other.cache.get("key");
    const before = await sent(server);
    for (let i = 0; i < 5; i++) assertEquals(await other.cache.get("key"), undefined);
    assertLess(await sent(server) - before, MIB);
    assertEquals(await other.cache.getOrSet("key", () => 2), 2);
    assertEquals(await other.cache.get("key"), 2);
  },
});

for (const local of [false, true]) {
  Deno.test({
    name: `A value that is nested deeper than what may be stored is a miss${local ? ", with copies too" : ""}`,
    ignore,
    fn: async () => {
      await using opened = await open({ cache: { local } });
      const { server, one, other, events } = opened;
      const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
      for (const [depth, text] of [[1000, nested(1000)], [1001, nested(1001)], [200_000, nested(200_000)]] as const) {
        const key = `depth:${depth}`;
        await one.cache.set(key, "x".repeat(text.length), { ttl: 60 });
        // The text in quotes becomes that of the nested value, and a space on each side of it.
        const script =
          "local s = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], string.sub(s, 1, #s - #ARGV[1] - 2)" +
          " .. ' ' .. ARGV[1] .. ' ', 'KEEPTTL')";
        await server.cli("EVAL", script, 1, `{long}:c:${key}`, text);
        let depthFound = 0;
        for (let value = await other.cache.get(key); Array.isArray(value); value = value[0]) depthFound++;
        assertEquals(depthFound, depth <= 1000 ? depth : 0);
        assertEquals(events.some((event) => event.type === "cache.unreadable" && event.key === key), depth > 1000);
        const loaded = await other.cache.getOrSet(key, () => "loaded", { ttl: 60 });
        assertEquals(loaded === "loaded", depth > 1000);
      }
      assertEquals(failures(events), []);
    },
  });
}

Deno.test({
  name: "Reads whose callers have gone are not sent",
  ignore,
  fn: async () => {
    await using opened = await open();
    const { server, one, other } = opened;
    const keys = Array.from({ length: 64 }, (_, i) => `key:${i}`);
    const text = "x".repeat(MIB);
    for (const key of keys) await one.cache.set(key, text, { ttl: 600 });
    await other.cache.getMany(keys); // how long they are is known
    const before = await sent(server);
    for (
      const read of [
        (signal: AbortSignal) => other.cache.getMany(keys, { signal }),
        (signal: AbortSignal) => Promise.all(keys.map((key) => other.cache.get(key, { signal }))),
        (signal: AbortSignal) => Promise.all(keys.map((key) => other.cache.getOrSet(key, () => 1, { signal }))),
      ]
    ) {
      const gone = new AbortController();
      const reading = read(gone.signal).then(() => "found", (error) => error.name);
      await Promise.resolve();
      gone.abort();
      assertEquals(await reading, "AbortError");
    }
    assertEquals(await other.cache.get("nothing"), undefined); // whatever was sent is answered
    assertLess(await sent(server) - before, 20 * MIB);
    // Who still waits for the same is answered.
    const gone = new AbortController();
    const reading = Promise.allSettled([other.cache.get("key:1", { signal: gone.signal }), other.cache.get("key:1")]);
    gone.abort();
    assertEquals((await reading).map(({ status }) => status), ["rejected", "fulfilled"]);
  },
});

Deno.test({
  name: "Values that outlive a read are copies: they stay as they are, and hold no reply",
  ignore,
  fn: async () => {
    for (const local of [false, true]) {
      await using opened = await open({ cache: { local } });
      const { one, other } = opened;
      const bytesOf = (i: number) => Uint8Array.from({ length: 100 }, (_, j) => (i * 31 + j) & 255);
      const keys = Array.from({ length: 200 }, (_, i) => `bytes:${i}`);
      const rest = Array.from({ length: 200 }, (_, i) => `rest:${i}`);
      await one.cache.setMany(keys.map((key, i) => [key, bytesOf(i)] as const), { ttl: 600, tags: ["some", "tags"] });
      await one.cache.setMany(rest.map((key, i) => [key, { i, text: "x".repeat(500) }] as const), { ttl: 600 });
      await one.cache.set("previous", new Date(0), { ttl: 0.001, staleIfError: 600 });
      const kept = await Promise.all(keys.map((key) => other.cache.get<Uint8Array>(key)));
      const lookups = await Promise.all(keys.map((key) => other.cache.lookup<Uint8Array>(key)));
      for (let i = 0; i < 10_000; i += 100) {
        await Promise.all(rest.slice(i % 200, i % 200 + 100).map((key) => one.cache.get(key)));
        await Promise.all(rest.slice(i % 200, i % 200 + 100).map((key) => other.cache.get(key)));
      }
      for (const i of keys.keys()) {
        assertEquals(kept[i], bytesOf(i));
        assertEquals([lookups[i]!.value, lookups[i]!.tags], [bytesOf(i), ["some", "tags"]]);
        assertEquals([kept[i]!.buffer.byteLength, lookups[i]!.value!.buffer.byteLength], [100, 100]);
        assertEquals(await other.cache.get(keys[i]!), bytesOf(i));
      }
    }
  },
});
