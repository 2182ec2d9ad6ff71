/**
 * Types of the middleware in the frameworks themselves. What counts is that it compiles, or does not where that is
 * said.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Application, Router } from "@oakserver/oak";
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { connect, type Larder, type RequestSession, type SessionData } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import * as oak from "../../src/http/oak.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

function is<_T extends true>(): void {}

interface Data {
  theme: "dark" | "light";
}

const open = () =>
  connect<{ session: Data; limit: "UPLOAD" }>({
    url: "memory:",
    rateLimit: { presets: { UPLOAD: { limit: 2, window: "1h" } } },
  });

Deno.test("Middleware fits Hono, and sessions have their type there", async () => {
  await using redis = await open();
  const app = new Hono<hono.SessionEnv<typeof redis>>();
  app.use(hono.rateLimit(redis, { "POST /files": "UPLOAD", "*": "DEFAULT" }));
  // @ts-expect-error: a typo
  const typo = () => hono.rateLimit(redis, { "*": "UPLAOD" });
  app.use("*", hono.session(redis));
  app.get("/health", hono.health(redis));
  app.get("/metrics", hono.metrics(redis, { token: "secret" }));
  app.get("/me", async (c) => {
    const session = hono.sessionOf(c);
    is<Same<typeof session, RequestSession<Data>>>();
    // @ts-expect-error: no such theme
    const wrong = () => session.update({ theme: "blue" });
    return c.json([typeof wrong, (await session.get())?.data.theme ?? null]);
  });
  const of = await app.request("https://localhost/me");
  assertEquals(await of.json(), ["function", null]);
  assertEquals((await app.request("https://localhost/health")).status, 200);
  assertEquals((await app.request("https://localhost/metrics")).status, 401);
  assertEquals(typeof typo, "function");
});

Deno.test("sessionOf() of Hono is told the type in other ways", async () => {
  await using redis = await open();
  // Beside variables of others.
  const app = new Hono<{ Variables: { user: string } & hono.SessionEnv<typeof redis>["Variables"] }>();
  app.use(hono.session(redis));
  app.get("/both", (c) => {
    const session = hono.sessionOf(c);
    is<Same<typeof session, RequestSession<Data>>>();
    return c.text(c.get("user") ?? "nobody");
  });
  assertEquals(await (await app.request("https://localhost/both")).text(), "nobody");
  // By what connect() gave, in an app that says nothing.
  const plain = new Hono();
  plain.use(hono.session(redis));
  plain.get("/by-redis", (c) => {
    const session = hono.sessionOf(c, redis);
    is<Same<typeof session, RequestSession<Data>>>();
    return c.text("");
  });
  plain.get("/stated", (c) => {
    const stated = hono.sessionOf<Data>(c);
    is<Same<typeof stated, RequestSession<Data>>>();
    const any = hono.sessionOf(c);
    is<Same<typeof any, RequestSession<SessionData>>>();
    return c.text("");
  });
  const others = new Hono<{ Variables: { user: string }; Bindings: { KEY: string } }>();
  others.use(hono.session(redis));
  others.get("/", (c) => {
    const any = hono.sessionOf(c);
    is<Same<typeof any, RequestSession<SessionData>>>();
    return c.text("");
  });
  const middleware = createMiddleware<hono.SessionEnv<typeof redis>>(async (c, next) => {
    const session = hono.sessionOf(c);
    is<Same<typeof session, RequestSession<Data>>>();
    await next();
  });
  assertEquals(typeof middleware, "function");
  // For those whose data are any.
  const untyped = new Hono<hono.SessionEnv<Larder>>();
  untyped.get("/", (c) => {
    const any = hono.sessionOf(c);
    is<Same<typeof any, RequestSession<SessionData>>>();
    return c.text("");
  });
  for (const path of ["/by-redis", "/stated"]) {
    assertEquals((await plain.request(`https://localhost${path}`)).status, 200);
  }
});

Deno.test("Middleware fits Oak and its router", async () => {
  await using redis = await open();
  const app = new Application();
  const router = new Router();
  app.use(oak.rateLimit(redis, { "POST /files": "UPLOAD", "*": "DEFAULT" }));
  app.use(oak.session(redis));
  router.get("/health", oak.health(redis));
  router.get("/metrics", oak.metrics(redis));
  router.get("/me", async (context) => {
    const session = oak.sessionOf(context, redis);
    is<Same<typeof session, RequestSession<Data>>>();
    const any = oak.sessionOf(context);
    is<Same<typeof any, RequestSession<SessionData>>>();
    context.response.body = (await session.get())?.data.theme ?? "none";
  });
  // In front of a route, they leave it the parameters of its path.
  const limit = oak.rateLimit(redis, { "*": "API" });
  router.get("/a/:id", limit, oak.session(redis), oak.cacheResponse(redis), ({ params }) => {
    is<Same<typeof params.id, string>>();
  });
  router.get("/b/:id", oak.session(redis), ({ params }) => is<Same<typeof params.id, string>>());
  router.get("/c/:id", oak.rateLimit(redis, { "*": "UPLOAD" }), ({ params }) => is<Same<typeof params.id, string>>());
  // @ts-expect-error: a typo
  const typoInPlace = () => router.get("/d", oak.rateLimit(redis, { "*": "UPLAOD" }), () => {});
  assertEquals(typeof typoInPlace, "function");
  app.use(router.routes());
  const get = async (path: string) => {
    const response = await app.handle(new Request(`https://localhost${path}`) as never) as unknown as Response;
    return [response.status, await response.text()] as const;
  };
  assertEquals(await get("/health"), [200, '{"status":"ok"}']);
  assertEquals((await get("/metrics"))[1].includes("larder_cache_reads_total"), true);
  assertEquals(await get("/me"), [200, "none"]);
});
