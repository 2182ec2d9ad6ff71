import { Application } from "@oakserver/oak";
import { assertEquals, assertNotEquals } from "@std/assert";
import { Hono } from "hono";
import type { Larder } from "../../mod.ts";
import * as hono from "../../src/http/hono.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import * as oak from "../../src/http/oak.ts";
import { ask, onBothStores, pairOf, serve } from "../sessions/served.ts";

type Handler = Deno.ServeHandler<Deno.NetAddr>;

/** What an app keeps, and gives to everybody: `/login` logs in, `/limited` is limited, and what else there is. */
interface Kept {
  readonly home: Response;
  readonly open: (redis: Larder) => Handler;
}

const RULES = { "POST /login": "DEFAULT", "/home": "DEFAULT" } as const;
const SEE_HOME = { status: 303, headers: { location: "/" } };

/** Two logs in one after the other, and a stranger: all are given the one response. */
const apps: Record<string, () => Kept> = {
  "withSession(), guard() and cacheResponse()"() {
    const home = new Response(null, SEE_HOME);
    return {
      home,
      open(redis) {
        const cached = cacheResponse(redis);
        return redis.rateLimit.guard(
          RULES,
          redis.sessions.withSession<unknown>(async (request, session) => {
            if (request.method === "POST") await session.create(new URL(request.url).search.slice(1), {});
            return await cached(request, () => home);
          }),
        );
      },
    };
  },
  "withSession() alone"() {
    const home = new Response(null, SEE_HOME);
    return {
      home,
      open: (redis) =>
        redis.sessions.withSession(async (request, session) => {
          if (request.method === "POST") await session.create(new URL(request.url).search.slice(1), {});
          return home;
        }),
    };
  },
  "guard() alone"() {
    const home = new Response(null, SEE_HOME);
    return { home, open: (redis) => redis.rateLimit.guard(RULES, () => home) };
  },
  "the middleware for Hono": () =>
    onHono((redis) => [hono.rateLimit(redis, RULES), hono.session(redis), hono.cacheResponse(redis)]),
  "session() for Hono alone": () => onHono((redis) => [hono.session(redis)]),
  "cacheResponse() for Hono around session()": () =>
    onHono((redis) => [hono.cacheResponse(redis), hono.session(redis)]),
};

function onHono(middleware: (redis: Larder) => hono.HonoMiddleware[]): Kept {
  const home = new Response(null, SEE_HOME);
  return {
    home,
    open(redis) {
      const app = new Hono();
      for (const one of middleware(redis)) app.use(one);
      app.all("*", async (context) => {
        if (context.req.method === "POST") await hono.sessionOf(context).create(context.req.query("who") ?? "?", {});
        return home;
      });
      return (request, info) => app.fetch(request, info);
    },
  };
}

/** Oak's own kind of response, which is that of a library where it comes from npm. */
async function oaksOwn(): Promise<Response> {
  const app = new Application();
  let made: unknown;
  app.use(async ({ response }) => {
    response.body = null;
    response.status = 303;
    response.headers.set("location", "/");
    made = await response.toDomResponse();
  });
  await app.handle(new Request("http://localhost/") as never);
  return made as Response;
}

function openOak(home: Response, kinds: readonly ("rateLimit" | "session" | "cacheResponse")[]): Kept["open"] {
  return (redis) => {
    const app = new Application();
    for (const kind of kinds) app.use(kind === "rateLimit" ? oak.rateLimit(redis, RULES) : oak[kind](redis));
    app.use(async (context) => {
      if (context.request.method === "POST") {
        await oak.sessionOf(context).create(context.request.url.search.slice(1), {});
      }
      context.response.with(home as never);
    });
    return async (request) => {
      const { status, headers, body } = await app.handle(request as never) as unknown as Response;
      return new Response(body, { status, headers: [...headers] });
    };
  };
}

for (const [name, make] of Object.entries(apps)) {
  onBothStores(`A response that a handler keeps is not changed by ${name}`, (open) => check(open, make()));
}

onBothStores("A response that a handler keeps is not changed by the middleware for Oak", async (open) => {
  for (
    const kinds of [["rateLimit", "session", "cacheResponse"], ["cacheResponse", "session"], ["session"]] as const
  ) {
    const home = await oaksOwn();
    await check(open, { home, open: openOak(home, kinds) });
  }
  for (const kinds of [["rateLimit"], ["cacheResponse"]] as const) {
    const home = await oaksOwn();
    const before = [...home.headers];
    await using redis = await open();
    await using service = serve(openOak(home, kinds)(redis));
    for (let i = 0; i < 3; i++) assertEquals((await ask(service, "/home")).status, 303);
    assertEquals([...home.headers], before, kinds[0]);
  }
});

async function check(open: () => Promise<Larder>, { home, open: app }: Kept): Promise<void> {
  const before = [...home.headers];
  await using redis = await open();
  await using service = serve(app(redis));
  const login = (who: string) => ask(service, `/login?who=${who}`, [], { method: "POST" });
  const ada = await login("ada");
  const stranger = await ask(service, "/home");
  const bob = await login("bob");
  const [status, location] = [stranger.status, stranger.header("location")];
  assertEquals([status, location, stranger.cookies], [303, "/", []], "a stranger is given nobody's session");
  assertEquals([ada.cookies.length, bob.cookies.length], ada.cookies.length ? [1, 1] : [0, 0]);
  if (ada.cookies.length) assertNotEquals(pairOf(ada), pairOf(bob));
  assertEquals([...home.headers], before, "it is as it was");
}
