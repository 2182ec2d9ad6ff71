import { assert, assertEquals, assertLess } from "@std/assert";
import {
  commandCounts,
  namespaceOf,
  openCache,
  type OpenedCache,
  timesAsked,
  untilCopied,
} from "../../support/open_cache.ts";
import { bytesOf, message, Publisher } from "../../support/publisher.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;

/** What a release does that knows no channels of databases: which keys it looks at again, or all. */
function asOlderRelease(payload: Uint8Array): string[] {
  const kind = String.fromCharCode(payload[0]!);
  if (kind === "k") return new TextDecoder().decode(payload.subarray(1)).split("\0");
  return kind === "e" ? ["all"] : [];
}

/** Whether a key is answered from a copy now. */
async function isCopied(server: RedisServer, { cache }: OpenedCache, key: string): Promise<boolean> {
  const before = await timesAsked(server);
  await cache.get(key);
  return await timesAsked(server) === before;
}

/** Hears a channel as anybody may. */
async function listen(opened: OpenedCache, channel: string): Promise<{ heard: Uint8Array[] } & AsyncDisposable> {
  const heard: Uint8Array[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const subscription = await opened.client.subscribe(channel, {
    message: (payload) => heard.push(payload.slice()),
    ready: resolve,
    lost() {},
  });
  await promise;
  return { heard, [Symbol.asyncDispose]: () => Promise.resolve(subscription[Symbol.asyncDispose]()) };
}

Deno.test({
  name: "Databases of one Redis with the same namespace tell each other nothing",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using zero = await openCache(server, { local: true });
    await using five = await openCache(server, { local: true, db: 5 });
    await using ear = await openCache(server, { local: false });
    await using bell = await listen(ear, `${namespaceOf(server)}:bell`);
    for (const { cache } of [zero, five]) await cache.set("a", 1, { tags: ["t"] });
    for (const opened of [zero, five]) await untilCopied(server, opened, "a");
    bell.heard.length = 0;
    const changes = [
      (cache: OpenedCache["cache"]) => cache.set("a", 2, { tags: ["t"] }),
      (cache: OpenedCache["cache"]) => cache.invalidate("a"),
      (cache: OpenedCache["cache"]) => cache.invalidateByTag("secret"),
      (cache: OpenedCache["cache"]) => cache.invalidateByPattern("a*"),
      (cache: OpenedCache["cache"]) => cache.clear(),
    ];
    for (const change of changes) await change(five.cache);
    // Messages of one connection come in order: one of database 0 comes behind them.
    await zero.cache.set("end", 1);
    await until(() => bell.heard.some((payload) => asOlderRelease(payload).includes("end")), "the end is told");
    assertEquals(await isCopied(server, zero, "a"), true, "the copy in database 0 is still used");
    const told = bell.heard.map((payload) => String.fromCharCode(...payload));
    assertEquals(told.filter((text) => text !== "e\x02" && !text.startsWith("kend")), [], "no name is told elsewhere");
    // The other way round, too.
    await five.cache.set("a", 3, { tags: ["t"] });
    await untilCopied(server, five, "a");
    for (const change of changes) await change(zero.cache);
    await five.cache.set("end", 1);
    assertEquals(await isCopied(server, five, "a"), true, "the copy in database 5 is still used");
  },
});

Deno.test({
  name: "Processes that know no channels of databases hear of each change, and are heard",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    for (const db of [0, 5]) {
      await t.step(`in database ${db}`, async () => {
        await using opened = await openCache(server, { local: true, db });
        await using other = await openCache(server, { db });
        await using bell = await listen(other, `${namespaceOf(server)}:bell`);
        const changes: [string, () => Promise<unknown>][] = [
          ["set()", () => other.cache.set("a", 1, { tags: ["t"] })],
          ["touch()", () => other.cache.touch("a", 60)],
          ["invalidate()", () => other.cache.invalidate("a")],
          ["clear()", () => other.cache.clear()],
        ];
        for (const [name, change] of changes) {
          bell.heard.length = 0;
          await change();
          const looked = () => bell.heard.flatMap(asOlderRelease);
          await until(() => looked().includes("a") || looked().includes("all"), `${name} is told`);
        }
        using publisher = await Publisher.start(server);
        for (const text of ["ka", "kb\0a", "e"]) {
          await other.cache.set("a", 1, { tags: ["t"] });
          await untilCopied(server, opened, "a");
          await publisher.publish(`${namespaceOf(server)}:bell`, bytesOf(text));
          await until(async () => !await isCopied(server, opened, "a"), `${JSON.stringify(text)} is heard`);
        }
      });
    }
  },
});

Deno.test({
  name: "A client that does not know its database misses no change, and none of its own is missed",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const db = 5;
    const wrap = (client: OpenedCache["client"]) =>
      new Proxy(client, {
        get(target, name) {
          if (name === "db") return undefined;
          const value = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    await using knows = await openCache(server, { local: true, db });
    await using knowsNot = await openCache(server, { local: true, db, wrap });
    for (const [reader, writer] of [[knows, knowsNot], [knowsNot, knows]] as const) {
      for (const change of ["set", "invalidate", "clear"] as const) {
        await writer.cache.set("a", 1);
        await untilCopied(server, reader, "a");
        await (change === "set"
          ? writer.cache.set("a", 2)
          : change === "clear"
          ? writer.cache.clear()
          : writer.cache.invalidate("a"));
        await until(async () => await reader.cache.get("a") !== 1, `${change} is heard of`);
      }
    }
  },
});

/** Clocks that a message may carry. */
const CLOCKS = [
  NaN,
  Infinity,
  -Infinity,
  1e300,
  -1e300,
  2 ** 53,
  9e15,
  0,
  -1,
  Number.MIN_VALUE,
  Date.now() * 1000 + 1e9,
];

Deno.test({
  name: "Who may only publish keeps no copy alive beyond an invalidation, whatever clock he names",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    using publisher = await Publisher.start(server);
    const bell = `${namespaceOf(server)}:bell`;
    for (const clock of CLOCKS) {
      await t.step(`${clock}`, async () => {
        await using opened = await openCache(server, { local: true });
        await using other = await openCache(server);
        for (
          const invalidate of [() => other.cache.invalidateByTag("t"), () => other.cache.invalidateByPattern("a*")]
        ) {
          await other.cache.set("a", "old", { tags: ["t"] });
          await untilCopied(server, opened, "a");
          await publisher.publish(bell, message("h", clock, "t"), message("s", clock, "t"), message("p", clock, "a*"));
          await invalidate();
          await until(async () => await opened.cache.get("a") === undefined, "the invalidation is heard of");
        }
      });
    }
  },
});

Deno.test({
  name: "Who may only publish makes nothing a miss for good, and has nothing remembered",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    using publisher = await Publisher.start(server);
    await using opened = await openCache(server, { local: true });
    await using other = await openCache(server);
    const bell = `${namespaceOf(server)}:bell`;
    const lies: Record<string, () => Uint8Array[]> = {
      "clocks": () =>
        CLOCKS.flatMap((clock) => ["h", "s", "p"].map((kind) => message(kind, clock, kind === "p" ? "*" : "t"))),
      "5,000 patterns": () => Array.from({ length: 5_000 }, (_, i) => message("p", 1e300, `*${i}*`)),
      "5,000 tags": () => Array.from({ length: 5_000 }, (_, i) => message("h", 1e300, `tag${i}`)),
      "a tag and a pattern of a megabyte": () => ["h", "p"].map((kind) => message(kind, 1e300, "*a".repeat(500_000))),
      "a million keys": () => [bytesOf(`k${"a\0".repeat(1_000_000)}`)],
      "what is no message": () =>
        ["", "k", "k\0\0\0", "e", "e\x07", "h", "p1234567", "x".repeat(100), "\xff\xfe"].map(bytesOf),
    };
    for (const [name, lie] of Object.entries(lies)) {
      await t.step(name, async () => {
        await other.cache.set("a", name, { tags: ["t"] });
        await until(async () => await opened.cache.get("a") === name, "the value is there");
        await untilCopied(server, opened, "a");
        const before = await commandCounts(server);
        const lied = lie();
        await publisher.publish(bell, ...lied);
        await untilCopied(server, opened, "a");
        assertEquals(await opened.cache.get("a"), name);
        assertEquals(opened.log.of("cache.epoch"), []);
        const { zmscore: looks = 0 } = await commandCounts(server);
        // One look is on its way at a time, so each is for all that came meanwhile.
        if (lied.length > 1000) assertLess(looks - (before.zmscore ?? 0), lied.length / 4, "looks");
      });
    }
    assert(await opened.cache.has("a"));
  },
});
