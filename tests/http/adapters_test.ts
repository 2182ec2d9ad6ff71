import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { Application } from "@oakserver/oak";
import { Hono } from "hono";
import { connect, type Larder } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import * as oak from "../../src/http/oak.ts";

interface Served extends AsyncDisposable {
  readonly url: string;
  readonly calls: () => number;
}

/** Paths that both apps answer: `/page`, `/own` with a cookie, `/json`, `/broken`. */
type Open = (redis: Larder) => Promise<Served>;

const openHono: Open = (redis) => {
  let calls = 0;
  const app = new Hono();
  app.use("*", hono.cacheResponse(redis, { ttl: "1m", tags: ["pages"] }));
  app.get("/page", (context) => context.text(`page ${++calls}`, 200, { "x-own": "1" }));
  app.get("/own", (context) => context.text(`own ${++calls}`, 200, { "set-cookie": "id=1" }));
  app.get("/json", (context) => context.json({ calls: ++calls }));
  app.get("/broken", (context) => context.text(`broken ${++calls}`, 500));
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  return Promise.resolve({
    url: `http://127.0.0.1:${server.addr.port}`,
    calls: () => calls,
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
};

const openOak: Open = (redis) => {
  let calls = 0;
  const app = new Application();
  app.use(oak.cacheResponse(redis, { ttl: "1m", tags: ["pages"] }));
  app.use(async ({ request, response, cookies }) => {
    const path = request.url.pathname;
    calls++;
    if (path === "/page") {
      response.headers.set("x-own", "1");
      response.body = `page ${calls}`;
    } else if (path === "/json") response.body = { calls };
    else if (path === "/own") {
      await cookies.set("id", "1");
      response.body = `own ${calls}`;
    } else {
      response.status = 500;
      response.body = `broken ${calls}`;
    }
  });
  // Its own server on npm does not end while a client keeps its connection.
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const response = await app.handle(request as never) as unknown as Response;
    return new Response(response.body, { status: response.status, headers: [...response.headers] });
  });
  return Promise.resolve({
    url: `http://127.0.0.1:${server.addr.port}`,
    calls: () => calls,
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
};

for (const [name, open] of Object.entries({ Hono: openHono, Oak: openOak })) {
  Deno.test(`cacheResponse() keeps the responses of ${name}`, async () => {
    await using redis = await connect({ url: "memory:" });
    await using served = await open(redis);
    const get = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${served.url}${path}`, { headers });
      return [response.status, await response.text(), response.headers.get("x-cache"), response] as const;
    };
    const [status, body, outcome, response] = await get("/page");
    assertEquals([status, body, outcome, response.headers.get("x-own")], [200, "page 1", "MISS", "1"]);
    const [again, kept, hit, answer] = await get("/page");
    assertEquals([again, kept, hit, answer.headers.get("x-own")], [200, "page 1", "HIT", "1"]);
    assertEquals(answer.headers.get("content-type"), response.headers.get("content-type"));
    assertEquals((await get("/page", { "cache-control": "no-cache" })).slice(0, 3), [200, "page 2", "MISS"]);
    await redis.cache.invalidateByTag("pages");
    assertEquals((await get("/page")).slice(0, 3), [200, "page 3", "MISS"]);
    assertEquals(JSON.parse((await get("/json"))[1]), { calls: 4 });
    const [, json, , typed] = await get("/json");
    assertEquals([JSON.parse(json), typed.headers.get("content-type")?.split(";")[0]], [
      { calls: 4 },
      "application/json",
    ]);
    for (const call of [5, 6]) {
      const [status, body, , response] = await get("/own");
      assertEquals([status, body, response.headers.has("set-cookie")], [200, `own ${call}`, true]);
    }
    for (const call of [7, 8]) assertEquals((await get("/broken")).slice(0, 2), [500, `broken ${call}`]);
    assertEquals(served.calls(), 8);
  });
}

/** Apps with `POST /login`, which is limited to five in five minutes, `/me` and `/logout`, over sessions. */
const accounts: Record<
  string,
  (redis: Larder) => (request: Request, info: Deno.ServeHandlerInfo) => Promise<Response>
> = {
  Hono(redis) {
    const app = new Hono();
    app.use("*", hono.rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
    app.use("*", hono.session(redis));
    app.post("/login", async (context) => {
      await hono.sessionOf(context).create("ada", { theme: "dark" });
      return context.text("in");
    });
    app.get("/me", async (context) => context.text((await hono.sessionOf(context).get())?.userId ?? "nobody"));
    app.get("/logout", async (context) => context.text(String(await hono.sessionOf(context).destroy())));
    return async (request, info) => await app.fetch(request, info);
  },
  Oak(redis) {
    const app = new Application();
    app.use(oak.rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
    app.use(oak.session(redis));
    app.use(async (context) => {
      const session = oak.sessionOf(context);
      const path = context.request.url.pathname;
      if (path === "/login") {
        await session.create("ada", { theme: "dark" });
        context.response.body = "in";
      } else if (path === "/me") context.response.body = (await session.get())?.userId ?? "nobody";
      else context.response.body = String(await session.destroy());
    });
    return async (request) => {
      const response = await app.handle(request as never) as unknown as Response;
      return new Response(response.body, { status: response.status, headers: [...response.headers] });
    };
  },
};

for (const [name, open] of Object.entries(accounts)) {
  Deno.test(`rateLimit() and session() guard the requests of ${name}`, async () => {
    await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, open(redis));
    try {
      const base = `http://127.0.0.1:${server.addr.port}`;
      const ask = async (path: string, cookie?: string, method = "GET") => {
        const response = await fetch(`${base}${path}`, { method, headers: cookie === undefined ? {} : { cookie } });
        return { status: response.status, text: await response.text(), headers: response.headers };
      };
      assertEquals((await ask("/me")).text, "nobody");
      const login = await ask("/login", undefined, "POST");
      assertEquals([login.status, login.text, login.headers.get("cache-control")], [200, "in", "no-store"]);
      assertMatch(login.headers.get("ratelimit") ?? "", /"AUTH";r=4;t=\d+/);
      const [cookie] = login.headers.get("set-cookie")!.split(";");
      const me = await ask("/me", cookie);
      assertEquals([me.text, me.headers.has("set-cookie")], ["ada", false]);
      for (let i = 0; i < 4; i++) await ask("/login", undefined, "POST");
      const refused = await ask("/login", undefined, "POST");
      assertEquals([refused.status, refused.headers.has("set-cookie")], [429, false]);
      assertGreater(Number(refused.headers.get("retry-after")), 0);
      assertEquals(JSON.parse(refused.text)["violated-policies"], ["AUTH"]);
      const logout = await ask("/logout", cookie);
      assertEquals(logout.text, "true");
      assertMatch(logout.headers.get("set-cookie")!, /Max-Age=0/);
      assertEquals((await ask("/me", cookie)).text, "nobody");
    } finally {
      await server.shutdown();
    }
  });
}
