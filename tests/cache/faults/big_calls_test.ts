/**
 * Calls with more than fits into one deadline: many keys, large values, many tags, over a line that carries 8 MB in a
 * second.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Larder } from "../../../mod.ts";
import { calmly } from "../../support/calm.ts";
import { sized } from "../../support/effort.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { until } from "../../support/until.ts";
import { manyOf, openOverALine as open, RATE } from "./slow_line.ts";

const ignore = !RedisServer.controllable;
const MEGABYTE = "x".repeat(1_000_000);

const [keys, tagged] = [sized(10_000, 30_000), sized(30_000, 100_000)];

for (const rate of [Infinity, RATE]) {
  const megabytes = rate === Infinity ? 60 : sized(20, 60);
  const line = rate === Infinity ? "a fast line" : "a line of 8 MB/s";

  Deno.test({
    name: `Cache takes ${keys.toLocaleString("en")} keys in one call over ${line}`,
    ignore,
    fn: () =>
      calmly(async () => {
        await using opened = await open(rate);
        const { redis: { cache }, errors } = opened;
        const entries = manyOf(keys, (i) => ({ i, text: "x".repeat(200) }));
        assertEquals(await cache.setMany(entries, { ttl: 600 }), true);
        const found = await cache.getMany(entries.keys());
        assertEquals([found.size, found.get(`key:${keys - 1}`)], [keys, entries.get(`key:${keys - 1}`)]);
        assertEquals(await cache.invalidateMany(entries.keys()), { status: "done", removed: keys });
        assertEquals((await cache.getMany(entries.keys())).size, 0);
        assertEquals(errors, []);
      }, 3),
  });

  Deno.test({
    name: `Cache takes ${megabytes} values of 1 MB at once over ${line}`,
    ignore,
    fn: () =>
      calmly(async () => {
        await using opened = await open(rate);
        const { redis: { cache }, errors } = opened;
        const entries = manyOf(megabytes, (i) => MEGABYTE + i);
        assertEquals(await cache.setMany(entries, { ttl: 600 }), true);
        const found = await cache.getMany(entries.keys());
        assertEquals([found.size, found.get("key:19") === MEGABYTE + 19], [megabytes, true]);
        const one = await Promise.all([...entries.keys()].map((key) => cache.get(key)));
        assertEquals(one.filter((value) => value !== undefined).length, megabytes);
        assertEquals(errors, []);
      }, 3),
  });

  Deno.test({
    name: `Cache takes ${tagged.toLocaleString("en")} tags in one call over ${line}`,
    ignore,
    fn: () =>
      calmly(async () => {
        await using opened = await open(rate);
        const { redis: { cache }, other, errors } = opened;
        const tags = Array.from({ length: tagged }, (_, i) => `a tag of some length:${i}`);
        await cache.set("first", 1, { tags: [tags[0]!], ttl: 600 });
        await cache.set("last", 1, { tags: [tags.at(-1)!], ttl: 600 });
        assertEquals(await cache.invalidateByTag(tags), { status: "done" });
        for (const { cache } of [opened.redis, other]) {
          assertEquals([await cache.get("first"), await cache.get("last")], [undefined, undefined]);
        }
        assertEquals(errors, []);
      }, 3),
  });
}

const invalidations = {
  key: (cache: Larder["cache"], keys: readonly string[]) => cache.invalidateMany(keys),
  tag: (cache: Larder["cache"]) => cache.invalidateByTag("t"),
  "stale tag": (cache: Larder["cache"]) => cache.invalidateByTag("t", { mode: "stale" }),
  pattern: (cache: Larder["cache"]) => cache.invalidateByPattern("key:*"),
  clear: (cache: Larder["cache"]) => cache.clear(),
};

for (const [name, invalidate] of Object.entries(invalidations)) {
  Deno.test({
    name: `Cache holds an invalidation by ${name} for what a call before it has not sent yet`,
    ignore,
    async fn() {
      await using opened = await open(RATE, "10s");
      const { redis: { cache }, other, errors } = opened;
      const old = manyOf(20, () => "old");
      assertEquals(await other.cache.setMany(old, { ttl: 600, tags: ["other"] }), true);
      const keys = [...old.keys()];
      for (const moment of ["in the same tick", "while parts are sent"]) {
        let ended = false;
        const setting = cache.setMany(manyOf(20, (i) => MEGABYTE + i), { ttl: 600, tags: ["t"] })
          .finally(() => ended = true);
        if (moment !== "in the same tick") await new Promise((resolve) => setTimeout(resolve, 700));
        assertEquals([moment, ended], [moment, false]);
        assertEquals([(await invalidate(cache, keys)).status, errors], ["done", []]);
        // What was set before is gone once the invalidation is acknowledged, and stays so.
        assertEquals([moment, (await other.cache.getMany(keys)).size], [moment, 0]);
        assertEquals(await setting, true);
        assertEquals([moment, (await other.cache.getMany(keys)).size], [moment, 0]);
        assertEquals(await other.cache.setMany(old, { ttl: 600, tags: ["other"] }), true);
      }
      assertEquals(errors, []);
    },
  });
}

Deno.test({
  name: "Cache tells what failed of a big call in one event, key by key",
  ignore,
  async fn() {
    await using opened = await open();
    const { redis: { cache }, other, proxy, errors } = opened;
    await cache.set("warm", 1);
    const entries = manyOf(40, (i) => MEGABYTE + i);
    const setting = cache.setMany(entries, { ttl: 600 });
    await until(async () => await other.cache.has("key:1"), "the first parts are stored");
    proxy.freeze();
    assertEquals(await setting, false);
    const [write, ...more] = errors.splice(0);
    assert(write && write.operation === "write" && write.key === undefined);
    assertEquals(more, []);
    const failed = write.keys ?? [];
    assert(failed.length > 0 && failed.length < 40, String(failed.length));
    assert(failed.includes("key:39"));

    assertEquals((await cache.getMany(["a", "b", "c"])).size, 0);
    const [read, ...rest] = errors.splice(0);
    assertEquals([read?.operation, read?.keys, rest.length], ["read", ["a", "b", "c"], 0]);

    const loaded = await cache.getOrSetMany(["a", "b"], (keys) => new Map(keys.map((key) => [key, 1])));
    assertEquals(loaded.size, 2);
    assertEquals(errors.splice(0).map(({ operation, keys }) => [operation, keys]), [["read", ["a", "b"]]]);

    // What was not stored is not served as it was before, and what was stored is.
    proxy.thaw();
    proxy.cut();
    for (let tries = 0; tries < 100 && !(await cache.set("again", 1)); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const kept = await cache.getMany(entries.keys());
    assertEquals(failed.filter((key) => kept.has(key)), []);
    assertEquals(kept.size, 40 - failed.length);
  },
});
