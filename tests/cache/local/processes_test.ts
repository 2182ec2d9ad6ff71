import { assert, assertEquals, assertLess } from "@std/assert";
import type { Cache } from "../../../src/cache/cache.ts";
import { GatedClient } from "../../support/gated_client.ts";
import {
  commandCounts,
  openCache,
  type OpenedCache,
  type OpenOptions,
  timesAsked,
  untilCopied,
} from "../../support/open_cache.ts";
import { TcpProxy } from "../../support/proxy.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";

const ignore = !RedisServer.controllable;
/** C5: how far behind other processes a copy may be, in milliseconds. */
const BOUND = 1000;

/** A cache with copies, whose client does what the test says. */
async function openGated(
  server: RedisServer,
  options: OpenOptions = {},
): Promise<OpenedCache & { client: GatedClient }> {
  const wrap: OpenOptions["wrap"] = (client) => new GatedClient(client);
  return await openCache(server, { local: true, wrap, ...options }) as OpenedCache & { client: GatedClient };
}

/** Every way to change the key `a` with the tag `t`, and what is found afterwards. */
const CHANGES: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  "set()": (cache) => cache.set("a", "new"),
  "setMany()": (cache) => cache.setMany({ a: "new", b: 1 }),
  "invalidate()": (cache) => cache.invalidate("a"),
  "invalidateMany()": (cache) => cache.invalidateMany(["b", "a"]),
  "delete()": (cache) => cache.delete("a"),
  "invalidateByTag()": (cache) => cache.invalidateByTag("t"),
  "invalidateByTag() as stale": (cache) => cache.invalidateByTag(["x", "t"], { mode: "stale" }),
  "invalidateByPattern()": (cache) => cache.invalidateByPattern("[a]*"),
  "clear()": (cache) => cache.clear(),
  "touch()": async (cache) => {
    await cache.touch("a", "1ms");
    await new Promise((resolve) => setTimeout(resolve, 5));
  },
};
const NEW: Readonly<Record<string, string>> = { "set()": "new", "setMany()": "new" };

Deno.test({
  name: "A hit in this process costs no command",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using opened = await openCache(server, { local: true });
    const { cache } = opened;
    await cache.set("a", { n: 1 }, { tags: ["t1", "t2", "t3"] });
    await cache.set("b", new Date(5));
    await cache.invalidateByTag("other");
    await untilCopied(server, opened, "a");
    await untilCopied(server, opened, "b");
    await server.cli("CONFIG", "RESETSTAT");
    const load = () => Promise.reject(new Error("nothing is to be loaded"));
    for (let i = 0; i < 1000; i++) {
      assertEquals(await cache.get("a"), { n: 1 });
      assertEquals(await cache.getOrSet<unknown>("b", load), new Date(5));
      assertEquals((await cache.getMany(["a", "b"])).size, 2);
      assertEquals((await cache.getOrSetMany<unknown>(["a", "b"], load)).size, 2);
      // Hits take no turn of the event loop, and on a busy machine so many would take longer than a proof is good for.
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const { publish = 0, zmscore = 0, ping: _heartbeat, "config|resetstat": _reset, ...rest } = await commandCounts(
      server,
    );
    assertEquals(rest, {});
    assert(publish + zmscore < 40, `${publish} proofs, ${zmscore} looks`);
    assert(cache.stats().hits >= 6000);
  },
});

Deno.test({
  name: "A process that has just begun copies entries that were there before it, whatever was invalidated meanwhile",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using writer = await openCache(server);
    await writer.cache.set("a", 1, { tags: ["t"] });
    await writer.cache.invalidateByTag("other");
    await using opened = await openCache(server, { local: true });
    await untilCopied(server, opened, "a");
  },
});

Deno.test({
  name: "Own changes are seen at once, although the channel tells nothing",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    await using opened = await openGated(server);
    const { cache, client } = opened;
    for (const [name, change] of Object.entries(CHANGES)) {
      await t.step(name, async () => {
        await cache.set("a", "old", { tags: ["t"] });
        await untilCopied(server, opened, "a");
        client.muted = true;
        await change(cache);
        assertEquals(await cache.get("a"), NEW[name]);
        client.unmute();
      });
    }
  },
});

Deno.test({
  name: "Changes by other processes are seen within the bound",
  ignore,
  fn: async (t) => {
    await using server = await RedisServer.start();
    await using opened = await openCache(server, { local: true });
    await using other = await openCache(server);
    const behind: number[] = [];
    for (const [name, change] of Object.entries(CHANGES)) {
      await t.step(name, async () => {
        await other.cache.set("a", "old", { tags: ["t"] });
        await until(async () => await opened.cache.get("a") === "old", "the old value is there");
        await untilCopied(server, opened, "a");
        await change(other.cache);
        const changed = performance.now();
        await until(async () => await opened.cache.get("a") === NEW[name], "the change is seen");
        behind.push(performance.now() - changed);
        assertLess(behind.at(-1)!, BOUND);
      });
    }
    // deno-lint-ignore no-console
    console.log(`Changes were seen after at most ${Math.max(...behind).toFixed(1)} ms`);
  },
});

Deno.test({
  name: "A copy is at most 1 s behind when the channel dies without a sign, and then bypassed",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    await using proxy = TcpProxy.start(server);
    await using opened = await openCache(server, { local: true, subscribeVia: proxy });
    await using other = await openCache(server);
    await other.cache.set("a", 0, { tags: ["t"] });
    await untilCopied(server, opened, "a");
    proxy.freeze();
    const died = performance.now();
    let [wrote, last, behind, judged, changes] = [-Infinity, 0, 0, 0, 0];
    const acknowledged: number[] = [];
    let writing: Promise<unknown> | undefined;
    while (performance.now() - died < 2500) {
      // The value is the number of the write, and `last` the newest that was acknowledged.
      if (!writing && performance.now() - wrote > 100) {
        const next = ++changes;
        writing = other.cache.set("a", next, { tags: ["t"] }).then(() => {
          [last, wrote, writing] = [next, performance.now(), undefined];
          acknowledged[next] = wrote;
        });
      }
      const asked = performance.now();
      const [wanted, value] = [last, await opened.cache.get<number>("a")];
      if (value! < wanted) behind = Math.max(behind, asked - acknowledged[value! + 1]!);
      judged++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await writing;
    assert(behind > 0, "no copy was used although the channel was silent");
    assert(behind <= BOUND, `a copy was ${behind.toFixed(1)} ms behind`);
    // deno-lint-ignore no-console
    console.log(`${judged} reads, at most ${behind.toFixed(1)} ms behind ${changes} changes on a silent channel`);
    const before = await timesAsked(server);
    for (let i = 0; i < 10; i++) assertEquals(await opened.cache.get("a"), changes);
    assertEquals(await timesAsked(server), before + 10);
    // A channel that is made anew is trusted again.
    proxy.thaw();
    proxy.cut();
    await untilCopied(server, opened, "a");
  },
});
