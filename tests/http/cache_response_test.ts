import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect, type Larder } from "../../mod.ts";
import { MemoryStore } from "../../src/cache/memory_store.ts";
import { Cache } from "../../src/cache/cache.ts";
import { cacheResponse, type CacheResponseOptions, type Middleware } from "../../src/http/mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { RedisServer } from "../support/redis_server.ts";
import { delay } from "../../src/util/abort.ts";
import { until } from "../support/until.ts";

const URL_ = "http://shop.example/products?page=1";

/** A handler that counts its calls. */
class Handler {
  calls = 0;
  readonly #answer: (call: number, request: Request) => Response | Promise<Response>;

  constructor(answer: (call: number, request: Request) => Response | Promise<Response>) {
    this.#answer = answer;
  }

  readonly next = (request: Request) => this.#answer(++this.calls, request);
}

async function get(
  middleware: Middleware,
  handler: Handler,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<[string, string | null, number]> {
  const response = await middleware(new Request(URL_, { headers, method }), handler.next);
  return [await response.text(), response.headers.get("x-cache"), response.status];
}

function text(body: (call: number) => string, headers: Record<string, string> = {}): Handler {
  return new Handler((call) => new Response(body(call), { headers }));
}

async function withCache(
  options: CacheResponseOptions,
  test: (middleware: Middleware, redis: Larder) => Promise<void>,
): Promise<void> {
  await using redis = await connect({ url: "memory:" });
  await test(cacheResponse(redis, options), redis);
  await delay(10); // what is read for the cache may end a moment after its caller has all of it
}

Deno.test("cacheResponse() answers from the cache with status, headers and body", async () => {
  await withCache({}, async (middleware) => {
    const bytes = crypto.getRandomValues(new Uint8Array(1000));
    const handler = new Handler(() =>
      new Response(bytes, {
        status: 203,
        headers: { "content-type": "image/x", "x-own": "é", connection: "x-hop", "x-hop": "1" },
      })
    );
    const first = await middleware(new Request(URL_), handler.next);
    assertEquals([first.headers.get("x-cache"), first.headers.get("cache-status")], [
      "MISS",
      "Larder; fwd=uri-miss; stored",
    ]);
    await first.body?.cancel();
    const second = await middleware(new Request(URL_), handler.next);
    assertEquals([second.status, new Uint8Array(await second.arrayBuffer()), handler.calls], [203, bytes, 1]);
    assertEquals(second.headers.get("content-type"), "image/x");
    assertEquals([second.headers.get("x-own"), second.headers.has("x-hop"), second.headers.get("age")], [
      "é",
      false,
      "0",
    ]);
    assertEquals(second.headers.get("x-cache"), "HIT");
    assert(/^Larder; hit; ttl=(60|59)$/.test(second.headers.get("cache-status")!));
    const others = ["http://shop.example/products?page=2", "http://other.example/products?page=1"];
    for (const url of others) await (await middleware(new Request(url), handler.next)).body?.cancel();
    assertEquals(handler.calls, 3);
  });
});

Deno.test("cacheResponse() keeps nothing that is not for everybody", async (t) => {
  const cases: Record<string, [ResponseInit & { body?: string }, Record<string, string>?]> = {
    "Set-Cookie": [{ headers: { "set-cookie": "id=1" } }],
    "no-store": [{ headers: { "cache-control": "no-store" } }],
    "private": [{ headers: { "cache-control": "max-age=60, private" } }],
    "private with fields": [{ headers: { "cache-control": 'PRIVATE="set-cookie"' } }],
    "no-cache": [{ headers: { "cache-control": "public, no-cache" } }],
    "max-age=0": [{ headers: { "cache-control": "max-age=0" } }],
    "max-age that makes no sense": [{ headers: { "cache-control": "max-age=soon" } }],
    "s-maxage=0 beside max-age": [{ headers: { "cache-control": "s-maxage=0, max-age=60" } }],
    "Expires in the past": [{ headers: { expires: "0" } }],
    "older than it is fresh": [{ headers: { "cache-control": "max-age=10", age: "10" } }],
    "Vary: Cookie": [{ headers: { vary: "Accept-Language, Cookie" } }],
    "Vary by what a load is not given": [{ headers: { vary: "X-Forwarded-Host" } }],
    "Vary: *": [{ headers: { vary: "*" } }],
    "404": [{ status: 404 }],
    "500": [{ status: 500 }],
    "302": [{ status: 302, headers: { location: "/" } }],
    "206": [{ status: 206 }],
    "a stream of events": [{ headers: { "content-type": "text/event-stream" } }],
    "a login": [{}, { authorization: "Basic eA==" }],
    "a session": [{ headers: { "cache-control": "max-age=60" } }, { cookie: "id=1" }],
    "a part": [{}, { range: "bytes=0-1" }],
    "a request that says no-store": [{}, { "cache-control": "no-store" }],
  };
  for (const [name, [init, headers]] of Object.entries(cases)) {
    await t.step(name, () =>
      withCache({}, async (middleware) => {
        const handler = new Handler((call) => new Response(`call ${call}`, init));
        const status = init.status ?? 200;
        assertEquals((await get(middleware, handler, headers))[0], "call 1");
        const [body, , again] = await get(middleware, handler, headers);
        assertEquals([body, again], ["call 2", status]);
      }));
  }
  await t.step("POST", () =>
    withCache({}, async (middleware) => {
      const handler = text((call) => `call ${call}`);
      for (const call of [1, 2]) {
        assertEquals(await get(middleware, handler, {}, "POST"), [`call ${call}`, "BYPASS", 200]);
      }
    }));
  await t.step("but shares what says so", () =>
    withCache({}, async (middleware) => {
      for (const control of ["public, max-age=60", "s-maxage=60"]) {
        const handler = text((call) => `${control} ${call}`, { "cache-control": control });
        await get(middleware, handler, { cookie: "id=1" });
        await until(async () => (await get(middleware, handler, { cookie: "id=2" }))[1] === "HIT", control);
        assertEquals([(await get(middleware, handler))[1], (await get(middleware, handler, { cookie: "id=3" }))[1]], [
          "HIT",
          "HIT",
        ]);
      }
    }));
});

Deno.test("cacheResponse() never gives a response that is not kept to anybody else", async () => {
  await withCache({}, async (middleware) => {
    const handler = new Handler(async (call) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return new Response(`for ${call}`, { headers: { "set-cookie": `id=${call}` } });
    });
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => middleware(new Request(URL_), handler.next)),
    );
    const bodies = await Promise.all(responses.map((response) => response.text()));
    assertEquals(new Set(bodies).size, 20);
    for (const [i, response] of responses.entries()) {
      assertEquals(response.headers.get("set-cookie"), `id=${bodies[i]!.slice(4)}`);
    }
  });
});

Deno.test("cacheResponse() has one call of the handler for all who ask at the same time", async () => {
  await withCache({}, async (middleware) => {
    const handler = new Handler(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return new Response("page");
    });
    const answers = await Promise.all(Array.from({ length: 1000 }, () => get(middleware, handler)));
    assertEquals([handler.calls, new Set(answers.map(([body]) => body))], [1, new Set(["page"])]);
  });
});

Deno.test("cacheResponse() serves the older response while the handler fails, and its failure otherwise", async () => {
  const clock = new ManualClock();
  await using cache = new Cache(new MemoryStore({ now: clock.now }));
  const middleware = cacheResponse(cache, { ttl: 10, staleIfError: "1h" });
  const handler = new Handler((call) => {
    if (call === 3) throw new Error("broken");
    return call === 1 ? new Response("fine") : new Response("broken", { status: 503 });
  });
  assertEquals((await get(middleware, handler))[0], "fine");
  clock.advance(11);
  assertEquals((await get(middleware, handler)).slice(0, 1), ["fine"]);
  await cache.clear();
  await assertRejects(() => get(middleware, handler), Error, "broken");
  assertEquals(await get(middleware, handler), ["broken", "MISS", 503]);
});

Deno.test("cacheResponse() answers 304 to who has the response, and HEAD without a body", async () => {
  await withCache({}, async (middleware) => {
    const modified = "Wed, 21 Oct 2015 07:28:00 GMT";
    const handler = text(() => "page", { etag: '"v1"', "last-modified": modified, "x-own": "1" });
    await get(middleware, handler);
    const cases: [Record<string, string>, number][] = [
      [{ "if-none-match": '"v1"' }, 304],
      [{ "if-none-match": '"v0", W/"v1"' }, 304],
      [{ "if-none-match": "*" }, 304],
      [{ "if-none-match": '"v2"' }, 200],
      [{ "if-modified-since": modified }, 304],
      [{ "if-modified-since": "Wed, 21 Oct 2015 07:27:59 GMT" }, 200],
      [{ "if-modified-since": "yesterday" }, 200],
      [{ "if-none-match": '"v2"', "if-modified-since": modified }, 200],
    ];
    for (const [headers, status] of cases) {
      const response = await middleware(new Request(URL_, { headers }), handler.next);
      assertEquals([response.status, await response.text()], [status, status === 304 ? "" : "page"]);
      assertEquals(response.headers.has("x-own"), status === 200);
    }
    assertEquals(handler.calls, 1);
  });
});

Deno.test("cacheResponse() tells responses apart by what you say", async () => {
  await withCache({ vary: ["Accept-Language"] }, async (middleware) => {
    const handler = new Handler((_, request) =>
      new Response(request.headers.get("accept-language"), { headers: { vary: "accept-language" } })
    );
    for (const language of ["de", "fr", "de", "fr", "x\u00e9".repeat(300)]) {
      assertEquals((await get(middleware, handler, { "accept-language": language }))[0], language);
    }
    assertEquals(handler.calls, 3);
  });
  const user = (request: Request) => request.headers.get("cookie") ?? undefined;
  await withCache({ key: user }, async (middleware) => {
    const handler = text((call) => `call ${call}`);
    assertEquals((await get(middleware, handler, { cookie: "id=1" }))[0], "call 1");
    assertEquals((await get(middleware, handler, { cookie: "id=2" }))[0], "call 2");
    assertEquals((await get(middleware, handler, { cookie: "id=1" }))[0], "call 1");
    assertEquals((await get(middleware, handler))[1], "BYPASS");
  });
});

Deno.test("cacheResponse() makes anew what a request wants fresh, unless it is deaf to that", async () => {
  for (const deaf of [false, true]) {
    await withCache({ ignoreRequestCacheControl: deaf }, async (middleware) => {
      const handler = text((call) => `call ${call}`);
      await get(middleware, handler);
      for (
        const headers of [{ "cache-control": "no-cache" }, { pragma: "no-cache" }, { "cache-control": "max-age=0" }]
      ) {
        await get(middleware, handler, headers);
      }
      await get(middleware, handler);
      assertEquals(handler.calls, deaf ? 1 : 4);
    });
  }
});

Deno.test("cacheResponse() lets long bodies through", async () => {
  await withCache({ maxBytes: 1000 }, async (middleware) => {
    const chunks = Array.from({ length: 5 }, (_, i) => new Uint8Array(300).fill(i));
    const handler = new Handler(() => new Response(ReadableStream.from(chunks)));
    for (const call of [1, 2]) {
      const response = await middleware(new Request(URL_), handler.next);
      assertEquals(new Uint8Array(await response.arrayBuffer()), new Uint8Array(chunks.flatMap((chunk) => [...chunk])));
      assertEquals(handler.calls, call);
    }
  });
});

Deno.test("cacheResponse() refuses options that make no sense", () => {
  const cache = new Cache(new MemoryStore());
  const wrong: unknown[] = [{ vary: ["*"] }, { vary: "accept" }, { key: "x" }, { maxBytes: 0 }, { ttl: -1 }, {
    tags: [1],
  }];
  for (const options of wrong) assertThrows(() => cacheResponse(cache, options as CacheResponseOptions));
  assertThrows(() => cacheResponse({} as Cache), TypeError, "wanted what connect() gave");
});

Deno.test({
  name: "cacheResponse() shares responses between processes, and an invalidation takes them from all",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start();
    await using one = await connect({ url: server.url, namespace: "responses" });
    await using other = await connect({ url: server.url, namespace: "responses" });
    const handler = text((call) => `call ${call}`);
    const options = { tags: (request: Request) => [new URL(request.url).pathname] };
    assertEquals((await get(cacheResponse(one, options), handler))[0], "call 1");
    assertEquals(await get(cacheResponse(other, options), handler), ["call 1", "HIT", 200]);
    await one.cache.invalidateByTag("/products");
    assertEquals((await get(cacheResponse(other, options), handler))[0], "call 2");
    await other.cache.invalidateByPattern("http:shop.example/*");
    assertEquals((await get(cacheResponse(one, options), handler))[0], "call 3");
    await server.kill();
    assertEquals(await get(cacheResponse(one, options), handler), ["call 4", "MISS", 200]);
  },
});

Deno.test("cacheResponse() leaves no timer behind when a body breaks while it is read", async () => {
  await using redis = await connect({ url: "memory:" });
  const cached = cacheResponse(redis, { ttl: "5m" });
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("broken off")) });
  await assertRejects(
    () => Promise.resolve(cached(new Request(URL_), () => new Response(broken))),
    Error,
    "broken off",
  );
});

Deno.test("cacheResponse() does not keep a body that is less than its Content-Length says", async () => {
  await using redis = await connect({ url: "memory:" });
  const cached = cacheResponse(redis, { ttl: "1m" });
  let made = 0;
  const ask = async (length: number) => {
    const response = await cached(new Request(`http://localhost/${length}`), () => {
      made++;
      return new Response("0123456789", { headers: { "content-length": String(length) } });
    });
    return [await response.text(), response.headers.get("x-cache")];
  };
  assertEquals([await ask(10), await ask(10), made], [["0123456789", "MISS"], ["0123456789", "HIT"], 1]);
  await ask(20);
  await ask(20);
  assertEquals(made, 3);
});
