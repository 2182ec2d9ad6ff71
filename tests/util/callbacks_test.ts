import { assertEquals, assertRejects } from "@std/assert";
import { connect, logEvents } from "../../mod.ts";
import { callQuietly, unawaited } from "../../src/util/callbacks.ts";
import { cacheResponse } from "../../src/http/mod.ts";

// A promise that rejects and that nobody has caught would end the test run.
const rejects = () => Promise.reject(new Error("a callback that failed")) as never;
const throws = (): never => {
  throw new Error("a callback that failed");
};
/** Two turns of the event loop, after which an unhandled rejection has ended the process. */
const settled = () => new Promise((resolve) => setTimeout(() => setTimeout(resolve)));

Deno.test("A listener that throws or rejects disturbs nobody", async () => {
  for (const on of [rejects, throws]) {
    await using redis = await connect({
      url: "memory:",
      on,
      rateLimit: { presets: { ONE: { limit: 1, window: "1m" } } },
    });
    await redis.cache.set("a", 1);
    assertEquals([await redis.cache.get("a"), await redis.cache.get("b")], [1, undefined]);
    const { id } = await redis.sessions.create("ada", {});
    assertEquals((await redis.sessions.get(id))?.userId, "ada");
    const guard = redis.rateLimit.guard({ "*": "ONE" }, () => new Response("ok"), { onLimited: on });
    const info = { remoteAddr: { hostname: "192.0.2.7" } };
    const statuses = [1, 2].map(async () => (await guard(new Request("http://localhost/"), info)).status);
    assertEquals(await Promise.all(statuses), [200, 429]);
  }
  await settled();
});

Deno.test("A logger that rejects disturbs nobody", async () => {
  const logger = { debug: rejects, info: rejects, warn: rejects, error: rejects };
  await using redis = await connect({ url: "memory:", on: logEvents(logger, { level: "debug" }) });
  assertEquals(await redis.cache.get("a"), undefined);
  await settled();
});

Deno.test("Callbacks that give a promise where none is expected do not end the process", async (t) => {
  await using redis = await connect({ url: "memory:" });
  const { cache } = redis;
  await cache.set("a", 1);
  await t.step("onProgress", async () => {
    assertEquals(await cache.invalidateByPattern("*", { onProgress: rejects }), { status: "done", removed: 1 });
    assertEquals(await cache.warm([["a", 1]], { onProgress: rejects }), { stored: 1, failed: 0 });
    await cache.namespace("v1").set("a", 1);
    assertEquals((await cache.drop("v1", { onProgress: rejects })).status, "done");
  });
  await t.step("tags, ttl and keys", async () => {
    await assertRejects(() => cache.getOrSet("t", () => 1, { tags: rejects }), TypeError);
    const user = cache.define({ name: "user", key: (id: number) => id, load: () => 1, ttl: rejects });
    await assertRejects(() => user.get(1), TypeError);
    const other = cache.define({ name: "other", key: rejects, load: () => 1 });
    await assertRejects(async () => await other.get(1), TypeError);
    await assertRejects(cache.wrap(() => 1, { key: rejects }), TypeError);
  });
  await t.step("tags of a definition", async () => {
    const loads = { load: () => 1, loadMany: (ids: readonly number[]) => new Map(ids.map((id) => [id, 1])) };
    const user = cache.define({ name: "tagged", key: (id: number) => id, ...loads, tags: rejects });
    const wanted = "wanted an array of strings as the tags, got an instance of Promise";
    await assertRejects(() => user.get(1), TypeError, wanted);
    await assertRejects(() => user.getMany([2]), TypeError, wanted);
    await assertRejects(() => user.set(3, 1), TypeError, wanted);
  });
  await t.step("a serializer", async () => {
    const options = { serializer: { serialize: rejects, deserialize: rejects } };
    for (const compress of [false, true]) {
      await using other = await connect({ url: "memory:", cache: { ...options, compress } });
      await assertRejects(() => other.cache.set("a", 1), TypeError, "got an instance of Promise");
      await assertRejects(() => other.cache.setMany({ a: 1 }), TypeError, "got an instance of Promise");
    }
  });
  await t.step("what a source of images lists", async () => {
    const stat = () => Promise.resolve(undefined);
    for (const list of [rejects, () => [rejects()] as never]) {
      const images = { source: { stat, open: rejects, list } };
      await using other = await connect({ url: "memory:", images });
      await assertRejects(() => other.cache.warmImages(""), TypeError, "got an instance of Promise");
    }
  });
  await t.step("values and options that were not waited for", async () => {
    const refused = "got an instance of Promise";
    await assertRejects(() => cache.set("a", rejects()), TypeError, refused);
    await assertRejects(() => cache.set("a", { deep: [rejects()] }), TypeError, refused);
    await assertRejects(() => cache.getOrSet("b", rejects()), TypeError, refused);
    await assertRejects(() => cache.getOrSet("b", () => 1, { ttl: rejects() }), TypeError, refused);
    await assertRejects(() => cache.getOrSet("b", (context) => (context.setTtl(rejects()), 1)), TypeError, refused);
    await assertRejects(() => cache.getOrSet("b", (context) => (context.setTags(rejects()), 1)), TypeError, refused);
    await assertRejects(() => cache.warm([rejects()]), TypeError, refused);
    await assertRejects(() => cache.warm([["a", rejects()]]), TypeError, refused);
    await assertRejects(() => redis.sessions.create("ada", { a: rejects() }), TypeError, refused);
    const { id } = await redis.sessions.create("ada", {});
    await assertRejects(() => redis.sessions.update(id, () => ({ a: rejects() })), TypeError, refused);
  });
  await t.step("keys and tags of responses", async () => {
    const ask = (options: object) =>
      cacheResponse(redis, options)(new Request("http://localhost/"), () => new Response());
    for (const option of ["key", "tags"]) assertEquals((await ask({ [option]: rejects })).status, 200); // only not kept
  });
  await settled();
});

Deno.test("unawaited() passes everything on as it came", () => {
  const odd = {
    get then(): never {
      throw new Error("no promise");
    },
  };
  for (const value of [undefined, null, 0, "then", odd]) assertEquals(unawaited(value) === value, true);
  callQuietly(undefined);
});
