import { assertEquals, assertRejects } from "@std/assert";
import { connect, logEvents } from "../mod.ts";
import { callQuietly, unawaited } from "../src/callbacks.ts";
import { cacheResponse } from "../src/http/mod.ts";

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
  });
  await t.step("tags, ttl and keys", async () => {
    await assertRejects(() => cache.getOrSet("t", () => 1, { tags: rejects }), TypeError);
    const user = cache.define({ name: "user", key: (id: number) => id, load: () => 1, ttl: rejects });
    await assertRejects(() => user.get(1), TypeError);
    const other = cache.define({ name: "other", key: rejects, load: () => 1 });
    await assertRejects(async () => await other.get(1), TypeError);
    await assertRejects(cache.wrap(() => 1, { key: rejects }), TypeError);
  });
  await t.step("keys and tags of responses", async () => {
    const ask = (options: object) =>
      cacheResponse(redis, options)(new Request("http://localhost/"), () => new Response());
    await assertRejects(() => ask({ key: rejects }), TypeError);
    await assertRejects(() => ask({ tags: rejects }), TypeError);
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
