import { assert, assertEquals } from "@std/assert";
import { Elysia } from "elysia";
import { H3 } from "h3";
import { connect, type Larder } from "../../mod.ts";
import { cacheResponse, healthHandler, metricsHandler } from "../../src/http/mod.ts";
import type { RequestSession } from "../../src/sessions/mod.ts";
import { until } from "../support/until.ts";

type Fetch = (request: Request) => Response | Promise<Response>;

/** What the handlers of each framework do. */
class Shop {
  readonly sessions = new WeakMap<Request, RequestSession>();
  made = 0;
  broken = false;

  page(): string {
    if (this.broken) throw new Error("broken");
    return `page ${++this.made}`;
  }

  async login(request: Request): Promise<string> {
    return (await this.sessions.get(request)!.regenerate({ userId: "ada" })).userId;
  }

  async me(request: Request): Promise<string> {
    return (await this.sessions.get(request)?.get())?.userId ?? "nobody";
  }
}

const frameworks: Readonly<Record<string, (shop: Shop) => Fetch>> = {
  "H3": (shop) => {
    const app = new H3({ silent: true });
    app.post("/login", (event) => shop.login(event.req));
    app.get("/me", (event) => shop.me(event.req));
    app.get("/pages/:name", () => shop.page());
    return (request) => app.fetch(request);
  },
  "Elysia": (shop) => {
    const app = new Elysia({ aot: false });
    app.post("/login", ({ request }) => shop.login(request));
    app.get("/me", ({ request }) => shop.me(request));
    app.get("/pages/:name", () => shop.page());
    return (request) => app.fetch(request);
  },
};

/** What a user writes around a framework that has `fetch(request)`. */
function around(redis: Larder, shop: Shop, fetch: Fetch): Deno.ServeHandler {
  const gate = redis.rateLimit.gate({ "POST /login": "AUTH", "*": "DEFAULT" });
  const cached = cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" });
  const health = healthHandler(redis);
  const metrics = metricsHandler(redis);
  return async (request, info) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return await health(request, info);
    if (pathname === "/metrics") return await metrics(request);
    const { response, apply } = await gate.decide(request, info);
    if (response) return response;
    const session = redis.sessions.forRequest(request, info);
    shop.sessions.set(request, session);
    const made = await (pathname.startsWith("/pages/") ? cached(request, fetch, info) : fetch(request));
    await session.settle();
    return apply(session.apply(made));
  };
}

async function ask(url: string, init: RequestInit = {}): Promise<{ status: number; headers: Headers; text: string }> {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

for (const [name, open] of Object.entries(frameworks)) {
  Deno.test(`${name}: sessions, limits, responses made anew behind the scenes, health and metrics`, async () => {
    await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
    const shop = new Shop();
    const handler = around(redis, shop, open(shop));
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
    const url = `http://127.0.0.1:${server.addr.port}`;
    assertEquals((await ask(`${url}/pages/bread`)).text, "page 1");
    let stale = false;
    await until(async () => {
      const { text, headers } = await ask(`${url}/pages/bread`);
      stale ||= headers.get("x-cache") === "STALE";
      return stale && text !== "page 1";
    }, "a page that is made anew");
    const login = await ask(`${url}/login`, { method: "POST" });
    assertEquals([login.text, login.headers.getSetCookie().length], ["ada", 1]);
    const cookie = login.headers.getSetCookie()[0]!.split(";")[0]!;
    assertEquals((await ask(`${url}/me`, { headers: { cookie } })).text, "ada");
    assertEquals((await ask(`${url}/me`)).text, "nobody");
    assert(login.headers.has("ratelimit"));
    for (let i = 0; i < 4; i++) await ask(`${url}/login`, { method: "POST" });
    assertEquals((await ask(`${url}/login`, { method: "POST" })).status, 429);
    shop.broken = true;
    assertEquals((await ask(`${url}/pages/cheese`)).status, 500);
    assertEquals(JSON.parse((await ask(`${url}/health`)).text).status, "ok");
    assert((await ask(`${url}/metrics`)).text.includes("larder_"));
  });
}

/** Middleware that has a `next()` without a request: what a user writes, and how the framework calls it. */
const hooks: Readonly<Record<string, (redis: Larder, page: (locals: Locals) => Promise<Response>) => Fetch>> = {
  // `Context` of @fresh/core: `req`, `info`, `state`, `next()`.
  "Fresh": (redis, page) => {
    const middleware = async (ctx: { req: Request; state: Locals; next: () => Promise<Response> }) => {
      const session = ctx.state.session = redis.sessions.forRequest(ctx.req);
      const response = await ctx.next();
      await session.settle();
      return session.apply(response);
    };
    return (req) => {
      const state: Locals = {};
      return middleware({ req, state, next: () => page(state) });
    };
  },
  // `handle` of src/hooks.server.ts.
  "SvelteKit": (redis, page) => {
    interface Event {
      readonly request: Request;
      readonly locals: Locals;
    }
    const handle = async ({ event, resolve }: { event: Event; resolve: (event: Event) => Promise<Response> }) => {
      const session = event.locals.session = redis.sessions.forRequest(event.request);
      const response = await resolve(event);
      await session.settle();
      return session.apply(response);
    };
    return (request) => handle({ event: { request, locals: {} }, resolve: ({ locals }) => page(locals) });
  },
  // `onRequest` of src/middleware.ts.
  "Astro": (redis, page) => {
    const onRequest = async (context: { request: Request; locals: Locals }, next: () => Promise<Response>) => {
      const session = context.locals.session = redis.sessions.forRequest(context.request);
      const response = await next();
      await session.settle();
      return session.apply(response);
    };
    return (request) => {
      const locals: Locals = {};
      return onRequest({ request, locals }, () => page(locals));
    };
  },
};

interface Locals {
  session?: RequestSession;
}

for (const [name, open] of Object.entries(hooks)) {
  Deno.test(`${name}: sessions in middleware of its shape`, async () => {
    await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
    const handler = open(redis, async ({ session }) => {
      const visits = ((await session!.get())?.data.visits as number ?? 0) + 1;
      await session!.update({ visits });
      return new Response(`visit ${visits}`);
    });
    const first = await handler(new Request("http://localhost/"));
    assertEquals(await first.text(), "visit 1");
    const cookie = first.headers.getSetCookie()[0]!.split(";")[0]!;
    const again = await handler(new Request("http://localhost/", { headers: { cookie } }));
    assertEquals([await again.text(), again.headers.getSetCookie()], ["visit 2", []]);
  });
}
