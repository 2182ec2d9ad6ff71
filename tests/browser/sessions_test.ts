import { assertEquals } from "@std/assert";
import type { Larder } from "../../mod.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import { type Open, serve, type Service } from "../sessions/served.ts";
import { connect } from "../../mod.ts";
import { DenoProcess } from "../support/deno_process.ts";
import { EFFORT } from "../support/effort.ts";
import { testWith } from "../support/program.ts";
import { RedisServer } from "../support/redis_server.ts";

/** How often each race is run: with `TEST_EFFORT=25`, 50 times. */
const ROUNDS = Math.round(2 * EFFORT);

/** One response for everybody, which the app keeps. */
const HOME = new Response(null, { status: 303, headers: { location: "/home" } });
const html = { headers: { "content-type": "text/html" } };

/** A site whose pages ask in the background, and that answers at its leisure. */
function site(redis: Larder): Service {
  const [inside, around] = [cacheResponse(redis, { ttl: "1h" }), cacheResponse(redis, { ttl: "1h" })];
  const name = async (session: { get(): Promise<{ userId: string } | undefined> }) =>
    new Response((await session.get())?.userId || "nobody", { headers: { "cache-control": "public, max-age=0" } });
  const pages = redis.sessions.withSession<unknown>(async (request, session) => {
    const { pathname, searchParams: asked } = new URL(request.url);
    const wait = (what: string) => new Promise((resolve) => setTimeout(resolve, Number(asked.get(what) ?? 0)));
    switch (pathname) {
      case "/visit":
        await session.update({ visits: 1 });
        return new Response("<h1>Welcome</h1>", html);
      case "/form":
        await session.update({ visits: 1 });
        return new Response(
          '<form method="post" action="/login?user=ada&wait=20"><button>Log in</button></form>',
          html,
        );
      case "/home":
        return new Response("<h1>Home</h1>", html);
      case "/poll":
        await wait("before");
        if (asked.has("get")) await session.get();
        if (asked.has("count")) await session.update(({ visits }) => ({ visits: (visits as number ?? 0) + 1 }));
        await wait("after");
        return new Response("polled");
      case "/login":
        await wait("wait");
        await session.regenerate({ userId: asked.get("user")! });
        return HOME;
      case "/renew":
        await session.regenerate();
        return new Response("renewed");
      case "/logout":
        await session.destroy();
        return new Response("out");
      case "/who":
        return await name(session);
      case "/cached/inside":
        return await inside(request, () => name(session));
    }
    return pathname.startsWith("/cached/") ? await name(session) : new Response(null, { status: 404 });
  });
  return serve((request, info) =>
    new URL(request.url).pathname === "/cached/around"
      ? around(request, (asked) => pages(asked, info))
      : pages(request, info)
  );
}

async function race(chromium: string, open: Open): Promise<void> {
  const sessions = { cookie: { insecure: true }, touchEvery: 0 } as const;
  await using here = await open({ sessions });
  await using there = await open({ namespace: "other", sessions });
  await using one = site(here);
  await using other = site(there);
  const local = ({ port }: Service) => `http://localhost:${port}`;
  await using visitor = DenoProcess.start(
    import.meta.resolve("./visit_sessions.ts"),
    chromium,
    local(one),
    local(other),
    String(ROUNDS),
  );
  assertEquals(await visitor.receive(), {
    poll: { loggedOut: 0, stranger: 0 },
    twice: { loggedOut: 0 },
    form: { loggedOut: 0 },
    tabs: { loggedOut: 0, lost: 0, back: 0 },
    services: { loggedOut: 0 },
    pages: { stale: 0, stranger: 0, kept: 0 },
  });
}

const what = `A browser in a hurry keeps its session, and nobody gets another's, ${ROUNDS} times each`;

Deno.test(
  await testWith(
    "chromium",
    `${what}, embedded`,
    (chromium) => race(chromium, (options) => connect({ url: "memory:", ...options })),
  ),
);

Deno.test(
  await testWith("chromium", `${what}, on Redis`, async (chromium) => {
    await using server = await RedisServer.start();
    await race(chromium, (options) => connect({ url: server.url, commandTimeout: "10s", ...options }));
  }),
);
