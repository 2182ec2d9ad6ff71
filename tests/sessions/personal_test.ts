import { Application } from "@oakserver/oak";
import { assertEquals } from "@std/assert";
import { Hono } from "hono";
import type { Larder } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import * as oak from "../../src/http/oak.ts";
import { type Answer, ask, onBothStores, pairOf, serve } from "./served.ts";
import { withoutAdded } from "../support/oldest.ts";

type Handler = Deno.ServeHandler<Deno.NetAddr>;

/** What an answer says to caches. */
function said({ header }: Answer): (string | undefined)[] {
  return [withoutAdded(header("vary")), header("cache-control")];
}

onBothStores("A page that looked at the session says so", async (open) => {
  await using redis = await open();
  const says: Record<string, HeadersInit> = {
    "/nothing": {},
    "/public": { "cache-control": "public, max-age=60, S-MaxAge = 600, stale-while-revalidate=30" },
    "/fields": { "cache-control": 'max-age=5, private="set-cookie, x-a", no-cache="x, public"' },
    "/no-store": { "cache-control": "no-store" },
    "/cdn": { "cdn-cache-control": "max-age=600", "surrogate-control": "max-age=600", "cache-control": "max-age=1" },
    "/vary": { vary: "accept-encoding, cookie" },
    "/any": { vary: "*" },
  };
  await using service = serve(redis.sessions.withSession<unknown>(async (request, session) => {
    const { pathname, search } = new URL(request.url);
    if (search === "?get") await session.get();
    if (search === "?set") await session.update({ n: 1 });
    if (search === "?login") await session.create("ada", {});
    if (search === "?logout") await session.destroy();
    return new Response("page", { headers: says[pathname] ?? {} });
  }));
  const get = async (path: string, cookie?: string) =>
    said(await ask(service, path, cookie === undefined ? [] : [`Cookie: ${cookie}`]));
  const login = await ask(service, "/public?login");
  const cookie = pairOf(login);
  assertEquals(said(login), ["Cookie", "no-store"]);

  // Who does not ask is not concerned.
  assertEquals(await get("/public", cookie), [
    undefined,
    "public, max-age=60, S-MaxAge = 600, stale-while-revalidate=30",
  ]);
  // Nobody is there: it depends on the cookie, and may be kept for all who have none.
  assertEquals(await get("/nothing?get"), ["Cookie", undefined]);
  assertEquals(await get("/public?get"), ["Cookie", "public, max-age=60, S-MaxAge = 600, stale-while-revalidate=30"]);
  assertEquals(await get("/nothing?get", "__Host-session=garbage"), ["Cookie", undefined]);
  // Somebody is.
  assertEquals(await get("/nothing?get", cookie), ["Cookie", "private"]);
  assertEquals(await get("/public?get", cookie), ["Cookie", "max-age=60, stale-while-revalidate=30, private"]);
  assertEquals(await get("/fields?get", cookie), ["Cookie", 'max-age=5, no-cache="x, public", private']);
  assertEquals(await get("/no-store?get", cookie), ["Cookie", "no-store"]);
  assertEquals(await get("/vary?get", cookie), ["accept-encoding, cookie", "private"]);
  assertEquals(await get("/any?get", cookie), ["*", "private"]);
  const cdn = await ask(service, "/cdn?get", [`Cookie: ${cookie}`]);
  assertEquals([said(cdn), cdn.header("cdn-cache-control"), cdn.header("surrogate-control")], [
    ["Cookie", "max-age=1, private"],
    undefined,
    undefined,
  ]);
  assertEquals(await get("/public?set", cookie), ["Cookie", "max-age=60, stale-while-revalidate=30, private"]);
  assertEquals(await get("/public?logout", cookie), ["Cookie", "no-store"]);
});

/** Apps with `/page` that shows who is logged in, `/login` by GET, and `/open` that does not ask. */
const apps: Record<string, (redis: Larder) => Handler> = {
  "cacheResponse() within withSession()"(redis) {
    const cached = cacheResponse(redis, { ttl: "1h" });
    return redis.sessions.withSession<unknown>((request, session) =>
      cached(request, (asked) => page(asked.url, session))
    );
  },
  "withSession() within cacheResponse()"(redis) {
    const cached = cacheResponse(redis, { ttl: "1h" });
    const handler = redis.sessions.withSession<unknown>((request, session) => page(request.url, session));
    return (request) => cached(request, handler);
  },
  "cacheResponse() of a copy of the request"(redis) {
    const cached = cacheResponse(redis, { ttl: "1h" });
    return redis.sessions.withSession<unknown>((request, session) =>
      cached(new Request(request.url, { headers: request.headers }), (asked) => page(new Request(asked).url, session))
    );
  },
  "cacheResponse() behind forRequest()"(redis) {
    const cached = cacheResponse(redis, { ttl: "1h" });
    return async (request, info) => {
      const session = redis.sessions.forRequest(request, info);
      const response = await cached(request, (asked) => page(asked.url, session));
      await session.settle();
      return session.apply(response);
    };
  },
  "cacheResponse() behind who has looked already"(redis) {
    const cached = cacheResponse(redis, { ttl: "1h" });
    return redis.sessions.withSession<unknown>(async (request, session) => {
      const userId = request.url.includes("/login") ? undefined : (await session.get())?.userId;
      const known = { get: () => Promise.resolve({ userId }), create: session.create.bind(session) };
      return await cached(request, (asked) => page(asked.url, known));
    });
  },
  "cacheResponse() for Hono within session()"(redis) {
    return honoApp([hono.session(redis), hono.cacheResponse(redis, { ttl: "1h" })]);
  },
  "cacheResponse() for Hono around session()"(redis) {
    return honoApp([hono.cacheResponse(redis, { ttl: "1h" }), hono.session(redis)]);
  },
  "cacheResponse() for Oak within session()": (redis) =>
    oakApp([oak.session(redis), oak.cacheResponse(redis, { ttl: "1h" })]),
  "cacheResponse() for Oak around session()": (redis) =>
    oakApp([oak.cacheResponse(redis, { ttl: "1h" }), oak.session(redis)]),
};

interface AnySession {
  get(): Promise<{ readonly userId?: string | undefined } | undefined>;
  create(userId: string, data: Record<string, unknown>): Promise<unknown>;
}

async function page(url: string, session: AnySession): Promise<Response> {
  const headers = { "cache-control": "public, s-maxage=3600" };
  const { pathname } = new URL(url);
  if (pathname === "/open") return new Response(`open ${crypto.randomUUID()}`, { headers });
  if (pathname === "/login") {
    await session.create("ada", {});
    return new Response("in", { headers });
  }
  return new Response((await session.get())?.userId ?? "nobody", { headers });
}

function honoApp(middleware: hono.HonoMiddleware[]): Handler {
  const app = new Hono();
  for (const one of middleware) app.use(one);
  app.get("*", (context) => page(context.req.url, hono.sessionOf(context)));
  return (request, info) => app.fetch(request, info);
}

function oakApp(middleware: oak.OakMiddleware[]): Handler {
  const app = new Application();
  for (const one of middleware) app.use(one);
  app.use(async (context) => {
    const made = await page(context.request.url.href, oak.sessionOf(context));
    context.response.body = await made.text();
    context.response.headers.set("cache-control", made.headers.get("cache-control")!);
  });
  return async (request) => {
    const { status, headers, body } = await app.handle(request as never) as unknown as Response;
    return new Response(body, { status, headers: [...headers] });
  };
}

for (const [name, app] of Object.entries(apps)) {
  onBothStores(`Nobody is served another's page: ${name}`, async (open) => {
    await using redis = await open();
    await using service = serve(app(redis));
    const login = await ask(service, "/login");
    const cookie = `Cookie: ${pairOf(login)}`;
    const stranger = await ask(service, "/login");
    assertEquals(
      [stranger.cookies.length, pairOf(stranger) === pairOf(login)],
      [1, false],
      "each has a login of his own",
    );
    for (const path of ["/page", "/page?2"]) {
      // In both orders, so that each could be served what was kept of the other.
      const visits = path === "/page" ? [[], [cookie], [], [cookie]] : [[cookie], [], [cookie], []];
      for (const headers of visits) {
        const { body, header } = await ask(service, path, headers);
        assertEquals([body, withoutAdded(header("vary"))], [headers.length ? "ada" : "nobody", "Cookie"], path);
        assertEquals(header("cache-control")?.includes("private"), headers.length > 0);
      }
    }
    if (!name.includes("looked already")) {
      const [one, two] = [await ask(service, "/open"), await ask(service, "/open", [cookie])];
      assertEquals(
        [one.body === two.body, two.header("x-cache")],
        [true, "HIT"],
        "what asks for nobody is for everybody",
      );
    }
  });
}
