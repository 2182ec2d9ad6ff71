/**
 * Wrong turns of the first hour: each is told by an error that says what was attempted, what was wanted and what came.
 *
 * @module
 */
import { assertRejects, assertThrows } from "@std/assert";
import { connect } from "../../mod.ts";
import { cacheResponse, healthHandler, idempotent, metricsHandler } from "../../src/http/mod.ts";
import * as hono from "../../src/http/hono.ts";
import * as oak from "../../src/http/oak.ts";
import { FlakyClient, FlakyStore, ManualClock } from "../../src/testing/mod.ts";

Deno.test("A signal that is none is told before anything is done", async () => {
  await using redis = await connect({ url: "memory:" });
  const { cache, sessions, rateLimit } = redis;
  const signal = new AbortController() as unknown as AbortSignal;
  const calls: Record<string, () => Promise<unknown>> = {
    get: () => cache.get("a", { signal }),
    set: () => cache.set("a", 1, { signal }),
    getOrSet: () => cache.getOrSet("a", () => 1, { signal }),
    getMany: () => cache.getMany(["a"], { signal }),
    invalidateByTag: () => cache.invalidateByTag("a", { signal }),
    create: () => sessions.create("ada", {}, { signal }),
    check: () => rateLimit.check("API", "a", { signal }),
    ready: () => redis.ready({ signal }),
    health: () => redis.health({ signal }),
  };
  for (const [name, call] of Object.entries(calls)) {
    await assertRejects(call, TypeError, 'wanted the "signal" of the controller, got an instance of', name);
  }
  await assertRejects(
    () => cache.get("a", { signal: 5 as never }),
    TypeError,
    'wanted an AbortSignal as "signal", got 5',
  );
});

Deno.test("A URL object in the place of the options is told", async () => {
  const wanted = "wanted an object with options, as in { url: … }, got an instance of URL";
  await assertRejects(() => connect(new URL("redis://:hunter2@127.0.0.1:1") as never), TypeError, wanted);
});

Deno.test("A handler that is none, and middleware of something else, are told when they are made", async () => {
  await using redis = await connect({ url: "memory:" });
  const handler = () => new Response();
  assertThrows(
    () => redis.sessions.withSession(undefined as never),
    TypeError,
    "wanted a function as the handler, got undefined",
  );
  const options = { onError: "log" as never };
  assertThrows(
    () => redis.sessions.withSession(handler, options),
    TypeError,
    'wanted a function as onError, got "log"',
  );
  for (const { session } of [hono, oak]) {
    for (const wrong of [redis.sessions, undefined, {}]) {
      assertThrows(() => session(wrong as never), TypeError, "wanted what connect() gave, got");
    }
  }
});

Deno.test("Tools for tests tell what they need", () => {
  assertThrows(() => new ManualClock("now" as never), TypeError, 'wanted milliseconds since 1970, got "now"');
  assertThrows(
    () => new FlakyStore(undefined as never),
    TypeError,
    "wanted a store of a cache, such as new MemoryStore()",
  );
  assertThrows(() => new FlakyClient({} as never), TypeError, "wanted a client as made by fromDbRedis()");
});

Deno.test("A name of a limit that is none does not break the line of its error", async () => {
  const presets = { "LOG\nIN": { limit: 5, window: 1 } };
  await assertRejects(
    () => connect({ url: "memory:", rateLimit: { presets } }),
    TypeError,
    'Cannot use rateLimit.presets."LOG\\nIN": wanted a name of',
  );
});

Deno.test("A handler that forgets its return is told, whatever stands around it", async () => {
  await using redis = await connect({ url: "memory:", on: () => {} });
  const info = { remoteAddr: { hostname: "192.0.2.7", port: 1, transport: "tcp" } } as const;
  const cached = cacheResponse(redis, { ttl: 60 });
  const answers = idempotent(redis);
  for (const given of [undefined, null, "hello", { status: 200 }]) {
    const handler = () => given as unknown as Response;
    const around: Record<string, (request: Request) => Promise<Response> | Response> = {
      guard: (request) => redis.rateLimit.guard({ "*": "DEFAULT" }, handler)(request, info),
      cacheResponse: (request) => cached(request, handler, info),
      idempotent: (request) => answers(request, handler, info),
      withSession: (request) =>
        redis.sessions.withSession(async (_request, session) => {
          await session.get();
          return handler();
        })(request, info),
    };
    for (const [name, answer] of Object.entries(around)) {
      for (const method of ["GET", "POST"]) {
        const request = new Request("http://localhost/a", {
          method,
          headers: { "idempotency-key": crypto.randomUUID() },
        });
        if (name === "idempotent" && method === "GET") continue; // handed on as it is
        await assertRejects(
          async () => await answer(request),
          TypeError,
          "Cannot answer the request: wanted a Response",
          name,
        );
      }
    }
  }
});

Deno.test("A request of node:http is told what is for it, where a Request is wanted", async () => {
  await using redis = await connect({ url: "memory:" });
  const request = { url: "/health", method: "GET", headers: { host: "localhost" } } as unknown as Request;
  const made = () => new Response();
  const handlers: Record<string, (given: Request) => Promise<Response>> = {
    health: healthHandler(redis),
    metrics: metricsHandler(redis),
    cached: (given) => cacheResponse(redis)(given, made),
    idempotent: (given) => idempotent(redis)(given, made),
  };
  for (const [name, answer] of Object.entries(handlers)) {
    const wanted = "Cannot answer the request: wanted a Request, got ";
    await assertRejects(() => answer(request), TypeError, `${wanted}one of node:http, for which @larder/larder`, name);
    await assertRejects(() => answer("/" as never), TypeError, `${wanted}"/"`, name);
  }
  const nothing = () => cacheResponse(redis)(new Request("http://localhost/"), undefined as never);
  await assertRejects(nothing, TypeError, "wanted a function as what makes the response, got undefined");
});
