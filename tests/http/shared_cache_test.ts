import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Hono } from "hono";
import { Cache } from "../../src/cache/cache.ts";
import { MemoryStore } from "../../src/cache/memory_store.ts";
import * as hono from "../../src/http/hono.ts";
import { cacheResponse, type CacheResponseOptions } from "../../src/http/mod.ts";
import { ask, onBothStores, serve } from "../sessions/served.ts";
import { until } from "../support/until.ts";
import { shops, visit } from "./shop.ts";

const shop = shops["Deno.serve"]!;

for (const [framework, open] of Object.entries(shops)) {
  onBothStores(`${framework}: a successful change takes all that is kept of its URL along`, async (connect) => {
    await using redis = await connect();
    let calls = 0;
    const options: CacheResponseOptions = { ttl: "1m", key: (request) => request.headers.get("x-user") ?? "nobody" };
    await using served = open(redis, options, ({ method, headers }) => {
      if (method !== "GET") {
        const status = headers.has("x-fail") ? 422 : 201;
        return new Response(null, {
          status,
          headers: { location: "/list", "content-location": "http://other.example/x" },
        });
      }
      return new Response(`page ${++calls}`, { headers: { vary: "accept-language" } });
    });
    const users = ["ada", "bob"];
    const all = async () => {
      const bodies: string[] = [];
      for (const path of ["/item/1", "/list", "/item/2"]) {
        for (const user of users) {
          for (const language of ["de", "fr"]) {
            const headers = { "x-user": user, "accept-language": language };
            bodies.push((await visit(`${served.url}${path}`, { headers })).body);
          }
        }
      }
      return bodies;
    };
    const first = await all();
    assertEquals([new Set(first).size, await all()], [12, first]);
    await visit(`${served.url}/item/1`, { method: "POST", headers: { "x-fail": "1" } });
    assertEquals(await all(), first, "a change that failed");
    for (const method of ["PUT", "PATCH", "DELETE", "POST"]) {
      const before = await all();
      await visit(`${served.url}/item/1`, { method });
      const after = await all();
      assertEquals(after.map((body, i) => body === before[i]), before.map((_, i) => i >= 8), method);
    }
  });
}

onBothStores("cacheResponse() answers HEAD, ranges, conditions and wishes from what is kept", async (connect) => {
  await using redis = await connect();
  const seen: string[] = [];
  await using served = shop(redis, { ttl: "1m" }, (request) => {
    seen.push(`${request.method} ${request.headers.get("range")}`);
    return new Response(request.method === "HEAD" ? null : "0123456789", {
      headers: { etag: '"v1"', "content-type": "text/plain" },
    });
  });
  const url = `${served.url}/a`;
  const get = (headers: Record<string, string> = {}, method = "GET") => visit(url, { headers, method });
  assertEquals((await get({}, "HEAD")).cache, "MISS");
  assertEquals((await get({ range: "bytes=0-1" })).status, 200);
  assertEquals((await get({ "cache-control": "only-if-cached" })).status, 504);
  assertEquals(seen.splice(0), ["HEAD null", "GET bytes=0-1"], "what misses goes through as it is");
  await get();
  seen.length = 0;
  const head = await get({}, "HEAD");
  assertEquals([head.status, head.body, head.headers.get("content-length"), head.cache], [200, "", "10", "HIT"]);
  const ranges: [string, number, string, string | null][] = [
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=8-", 206, "89", "bytes 8-9/10"],
    ["bytes=5-100", 206, "56789", "bytes 5-9/10"],
    ["bytes=10-", 416, "", "bytes */10"],
    ["bytes=0-1,3-4", 200, "0123456789", null],
    ["bytes=4-2", 200, "0123456789", null],
    ["lines=1-2", 200, "0123456789", null],
  ];
  for (const [range, status, body, content] of ranges) {
    const answer = await get({ range });
    assertEquals([answer.status, answer.body, answer.headers.get("content-range")], [status, body, content], range);
  }
  assertEquals((await get({ range: "bytes=0-1", "if-range": '"v1"' })).status, 206);
  assertEquals((await get({ range: "bytes=0-1", "if-range": '"v0"' })).status, 200);
  assertEquals((await get({ "if-none-match": 'W/"v1"' })).status, 304);
  assertEquals((await get({ upgrade: "h2c" })).cache, "HIT");
  assertEquals((await get({ "cache-control": "only-if-cached" })).cache, "HIT");
  assertEquals((await get({ "cache-control": "max-age=60" })).cache, "HIT");
  assertEquals(seen, []);
  assertEquals((await get({ "cache-control": "min-fresh=3600" })).cache, "MISS");
  assertEquals((await get({ "cache-control": "no-store" })).cache, "BYPASS");
  assertEquals(seen.length, 2);
});

onBothStores(
  "cacheResponse() makes a stale response fresh by its validator, and serves none that forbids it",
  async (connect) => {
    await using redis = await connect();
    let control = "max-age=1";
    let broken = false;
    const asked: (string | null)[] = [];
    await using served = shop(
      redis,
      { ttl: "response", staleWhileRevalidate: "1h", staleIfError: "1h" },
      ({ headers }) => {
        asked.push(headers.get("if-none-match"));
        if (broken) return new Response("broken", { status: 503 });
        const answer = { "cache-control": control, etag: '"v1"', "x-answer": String(asked.length) };
        return headers.get("if-none-match") === '"v1"'
          ? new Response(null, { status: 304, headers: answer })
          : new Response("page", { headers: answer });
      },
    );
    control = "max-age=1, must-revalidate";
    const url = `${served.url}/strict`;
    assertEquals((await visit(url)).body, "page");
    await new Promise((resolve) => setTimeout(resolve, 1300));
    const renewed = await visit(url, { headers: { "cache-control": "max-stale" } });
    assertEquals([renewed.status, renewed.body, renewed.headers.get("x-answer"), asked], [200, "page", "2", [
      null,
      '"v1"',
    ]]);
    assertMatch(renewed.headers.get("cache-status")!, /fwd=stale; fwd-status=304; stored/);
    broken = true;
    await new Promise((resolve) => setTimeout(resolve, 2300));
    assertEquals((await visit(url)).status, 503, "no stale response whatever the options");
  },
);

onBothStores(
  "cacheResponse() tells URLs apart as the router reads them, and keeps no secret in its keys",
  async (connect) => {
    await using redis = await connect();
    let calls = 0;
    const options: CacheResponseOptions = { ttl: "1m", ignoreQuery: ["utm_*", "fbclid"] };
    await using served = shop(redis, options, (request) => new Response(`${++calls} ${new URL(request.url).search}`));
    const body = async (path: string) => (await visit(`${served.url}${path}`)).body;
    assertEquals(await body("/a?b=2&a=1&utm_source=x"), "1 ?b=2&a=1");
    assertEquals(await body("/a?a=1&b=2"), "1 ?b=2&a=1", "in whatever order");
    assertEquals(await body("/a?utm_source=y&a=1&fbclid=7&b=2"), "1 ?b=2&a=1");
    assertEquals(await body("/a?a=2&a=1"), "2 ?a=2&a=1");
    assertEquals(await body("/a?a=1&a=2"), "3 ?a=1&a=2", "the order of those of one name counts");
    assertEquals(
      await body("/a?a=1&b=2&utm_x=1;callback=evil"),
      "4 ?a=1&b=2&utm_x=1;callback=evil",
      "parameter cloaking",
    );
    assertEquals(await body("/A?a=1&b=2"), "5 ?a=1&b=2");
    assertEquals(await body("/a?token=secret-secret"), "6 ?token=secret-secret");
    const keys: string[] = [];
    for await (const { key, tags } of redis.cache.inspect()) keys.push(key, ...tags);
    assertEquals(keys.filter((key) => key.includes("secret")), []);
    assert(keys.some((key) => key.startsWith("http:127.0.0.1:")), keys.join());
    // As bytes: what is no authority is refused, what is another path is another response.
    for (const host of ["Host: a?", "Host: shop.example#"]) {
      assertEquals((await ask({ port: Number(new URL(served.url).port) }, "/a", [host])).status, 400);
    }
    const before = calls;
    await ask({ port: Number(new URL(served.url).port) }, "/x/../a?a=1&b=2");
    assertEquals(await body("/a?a=1&b=2"), "1 ?b=2&a=1");
    assertEquals(calls, before + 1);
  },
);

onBothStores(
  "cacheResponse() keeps up to 16 variants of a URL, by what its responses name in Vary",
  async (connect) => {
    await using redis = await connect();
    let calls = 0;
    await using served = shop(redis, { ttl: "1m" }, ({ headers }) => {
      calls++;
      return new Response(`in ${headers.get("accept-language")}`, {
        headers: { vary: "Accept-Language, Accept-Encoding" },
      });
    });
    const get = (language: string) => visit(`${served.url}/a`, { headers: { "accept-language": language } });
    for (const language of ["de", "fr", "de", "fr", "en", "de"]) {
      assertEquals(
        (await get(language)).body,
        `in ${language}`,
      );
    }
    assertEquals(calls, 3);
    await Promise.all(Array.from({ length: 100 }, (_, i) => get(`x-${i}`)));
    for (const language of ["de", "fr", "en"]) assertEquals((await get(language)).cache, "HIT");
    let kept = 0;
    for await (const { key } of redis.cache.inspect()) if (!key.endsWith(" variants")) kept++;
    assert(kept <= 16, String(kept));
  },
);

onBothStores(
  "cacheResponse() gives the first byte at once, and keeps no body that is too long or never ends",
  async (connect) => {
    await using redis = await connect();
    let calls = 0;
    const gate = Promise.withResolvers<void>();
    await using served = shop(redis, { ttl: "1m", maxBytes: 1000, timeout: "500ms" }, (request) => {
      calls++;
      const path = new URL(request.url).pathname;
      const text = new TextEncoder();
      return new Response(
        new ReadableStream<Uint8Array>({
          async start(controller) {
            controller.enqueue(text.encode("first "));
            if (path === "/slow") await gate.promise;
            if (path === "/long") controller.enqueue(new Uint8Array(5000).fill(120));
            if (path === "/endless") return;
            controller.enqueue(text.encode("last"));
            controller.close();
          },
        }),
      );
    });
    const slow = await fetch(`${served.url}/slow`);
    const reader = slow.body!.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "first ", "before the rest is there");
    gate.resolve();
    while (!(await reader.read()).done);
    assertEquals((await visit(`${served.url}/slow`)).body, "first last");
    assertEquals(calls, 1);
    for (const _ of [1, 2]) assertEquals((await visit(`${served.url}/long`)).body.length, 5010);
    assertEquals(calls, 3);
    for (const _ of [1, 2]) {
      const endless = await fetch(`${served.url}/endless`);
      const reader = endless.body!.getReader();
      assertEquals(new TextDecoder().decode((await reader.read()).value), "first ");
      await reader.cancel();
    }
    assertEquals(calls, 5);
  },
);

onBothStores("cacheResponse() replays no header of one caller to another", async (connect) => {
  await using redis = await connect();
  const guard = redis.rateLimit.guard({ "*": "API" }, (request) =>
    cached(request, () =>
      new Response("page", {
        headers: {
          "x-request-id": crypto.randomUUID(),
          "ratelimit": '"upstream";r=1;t=2',
          "x-ratelimit-remaining": "1",
          "retry-after": "1",
          "server-timing": "db;dur=5",
          "x-own": "1",
          "connection": "x-hop",
          "x-hop": "1",
        },
      })));
  const cached = cacheResponse(redis, { ttl: "1m" });
  await using served = serve((request, info) => guard(request, info));
  await visit(served.url);
  const hit = await visit(served.url);
  assertEquals([hit.cache, hit.headers.get("x-own")], ["HIT", "1"]);
  for (const name of ["x-request-id", "retry-after", "server-timing", "x-hop"]) {
    assertEquals(hit.headers.get(name), null, name);
  }
  assert(!hit.headers.get("ratelimit")!.includes("upstream"));
  assert(hit.headers.get("x-ratelimit-remaining") !== "1");
});

onBothStores("Two cacheResponse() over one URL do not wait for each other", async (connect) => {
  await using redis = await connect();
  let calls = 0;
  const [outer, inner] = [cacheResponse(redis, { ttl: "1m" }), cacheResponse(redis, { ttl: "5m" })];
  await using served = serve((request) =>
    outer(request, (request) => inner(request, () => new Response(`page ${++calls}`)))
  );
  assertEquals([(await visit(served.url)).body, (await visit(served.url)).body], ["page 1", "page 1"]);
  const app = new Hono();
  app.use(hono.cacheResponse(redis, { ttl: "1m" }));
  app.use("/products/*", hono.cacheResponse(redis, { ttl: "5m", tags: ["products"] }));
  app.get("/products/:id", (context) => context.text(`product ${context.req.param("id")} ${++calls}`));
  await using onHono = serve(app.fetch);
  const url = `${onHono.url}/products/7`;
  assertEquals([(await visit(url)).body, (await visit(url)).body], ["product 7 2", "product 7 2"]);
});

onBothStores("A damaged or foreign response is a miss with an event, and is replaced", async (connect) => {
  const unreadable: string[] = [];
  await using redis = await connect({
    on: (event) => void (event.type === "cache.unreadable" && unreadable.push(event.key)),
  });
  let calls = 0;
  await using served = shop(redis, { ttl: "1m" }, () => new Response(`page ${++calls}`));
  await visit(`${served.url}/a`);
  const keys: string[] = [];
  for await (const { key } of redis.cache.inspect()) keys.push(key);
  const head = (fields: object) => {
    const text = new TextEncoder().encode(JSON.stringify(fields));
    const bytes = new Uint8Array(5 + text.length);
    bytes[0] = 2;
    new DataView(bytes.buffer).setUint32(1, text.length);
    bytes.set(text, 5);
    return bytes;
  };
  const good = {
    status: 200,
    headers: [],
    storedAt: Date.now(),
    age: 0,
    ttl: 60,
    stale: 0,
    open: true,
    strict: false,
    vary: [],
  };
  const foreign: unknown[] = [
    "text",
    { status: 200 },
    new Uint8Array([2, 255, 255, 255, 255]),
    new Uint8Array(100).fill(123),
    head({ ...good, headers: [["set-cookie", "id=evil"]] }),
    head({ ...good, headers: [["bad name", "x"]] }),
    head({ ...good, headers: [["x", "a\r\nb"]] }),
    head({ ...good, status: 101 }),
    head({ ...good, storedAt: "now" }),
    head({ ...good, vary: [["a"]] }),
  ];
  for (const [i, value] of foreign.entries()) {
    await redis.cache.set(keys[0]!, value);
    const { status, body, headers } = await visit(`${served.url}/a`);
    assertEquals([status, body, headers.get("set-cookie")], [200, `page ${i + 2}`, null]);
  }
  assertEquals(unreadable.length, foreign.length);
});

onBothStores("A callback that fails costs the page nothing", async (connect) => {
  const warnings: string[] = [];
  await using redis = await connect({ on: (event) => void (event.type === "warning" && warnings.push(event.message)) });
  const fails = () => {
    throw new Error("no");
  };
  for (
    const options of [
      { tags: fails },
      { tags: (_: Request, response: Response) => [response.body === null ? "\0" : "clone"] },
      { tags: () => Array.from({ length: 100 }, (_, i) => `tag-${i}`) },
      { key: fails },
      { key: () => 5 as never },
    ] as CacheResponseOptions[]
  ) {
    let calls = 0;
    await using served = shop(redis, options, () => new Response(`page ${++calls}`));
    const before = warnings.length;
    assertEquals([(await visit(served.url)).body, (await visit(served.url)).body], ["page 1", "page 2"]);
    assert(warnings.length > before);
  }
});

Deno.test("cacheResponse() judges its options when it is made", () => {
  const cache = new Cache(new MemoryStore(), { maxBytes: 100_000 });
  const wrong: CacheResponseOptions[] = [
    { maxBytes: 200_000 },
    { ttl: "soon" },
    { ttl: "responses" },
    { timeout: -1 },
    { vary: ["cookie"] },
    { vary: ["Authorization"] },
    { personal: "x-api-key" as never },
    { ignoreCookies: [""] },
    { ignoreQuery: "utm_*" as never },
    { staleIfError: "x" },
    { ignoreRequestCacheControl: "yes" as never },
    { ttlSeconds: 5 } as never,
  ];
  for (const options of wrong) assertThrows(() => cacheResponse(cache, options), Error, "", JSON.stringify(options));
  cacheResponse(cache, { ttl: 0 });
  cacheResponse(cache, { ttl: "response" });
});

onBothStores(
  "sessionOf(c) of Hono in a load: the visitor's while he waits, nobody's behind the scenes",
  async (connect) => {
    await using redis = await connect();
    let calls = 0;
    const app = new Hono();
    app.use(hono.session(redis));
    app.use(hono.cacheResponse(redis, { ttl: "50ms", staleWhileRevalidate: "1h" }));
    app.get("/login", async (context) => {
      const session = await hono.sessionOf(context).create(context.req.query("who")!, {});
      return context.text(`Welcome ${session.userId}`);
    });
    app.get("/page", async (context) => {
      const call = ++calls;
      const look = call > 1 && await hono.sessionOf(context).get();
      return context.text(`page ${call} ${JSON.stringify(look)}`);
    });
    await using served = serve((request, info) => app.fetch(request, info));
    const ada = await visit(`${served.url}/login?who=ada`);
    const bob = await visit(`${served.url}/login?who=ada`);
    assertEquals([ada.body, ada.cache !== "HIT", bob.cache !== "HIT"], ["Welcome ada", true, true]);
    const cookies = [ada, bob].map(({ headers }) => headers.get("set-cookie"));
    assert(cookies[0] && cookies[1] && cookies[0] !== cookies[1], "each has a session of his own");
    assertEquals((await visit(`${served.url}/page`)).body, "page 1 false");
    await new Promise((resolve) => setTimeout(resolve, 100));
    assertEquals((await visit(`${served.url}/page`)).body, "page 1 false", "stale");
    await until(() => calls === 2, "it is made anew");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const next = await visit(`${served.url}/page`);
    assertEquals(
      next.cache === "HIT" && next.body.startsWith("page 2"),
      false,
      "what looked for a session is kept for nobody",
    );
  },
);
