import { assert, assertEquals } from "@std/assert";
import { type Application, type Context, Router } from "@oakserver/oak";
import { connect, type Larder } from "../../mod.ts";
import type { RequestSession } from "../../src/sessions/mod.ts";
import * as oak from "../../src/http/oak.ts";
import { sendRaw } from "../support/raw_http.ts";
import { application, listen } from "./oak_server.ts";
import { visit } from "./shop.ts";

type Next = () => Promise<unknown>;

/** An app with the cache or without it, and with something in front of it. */
function shop(
  redis: Larder | undefined,
  routes: (router: Router) => void,
  { front, options, app = {} }: {
    front?: (context: Context, next: Next) => Promise<unknown>;
    options?: oak.CacheResponseOptions;
    app?: object;
  } = {},
): Application {
  const made = application(app);
  if (front) made.use(front);
  if (redis) made.use(oak.cacheResponse(redis, options ?? { ttl: "1m" }) as never);
  const router = new Router();
  routes(router);
  made.use(router.routes());
  return made;
}

Deno.test("Oak: events of sendEvents() arrive behind the cache, and it is asked for the visitor alone", async () => {
  await using redis = await connect({ url: "memory:" });
  let opened = 0;
  const app = shop(redis, (router) => {
    router.get("/events", async (context) => {
      const target = await context.sendEvents();
      target.dispatchMessage(`event ${++opened}`);
      await target.close();
    });
  });
  await using server = await listen(app);
  for (const [round, accept] of ["text/event-stream", "*/*", "*/*"].entries()) {
    const response = await fetch(`${server.url}/events`, { headers: { accept } });
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    assert((await response.text()).includes(`event ${round + 1}`), `round ${round}`);
  }
  assertEquals(opened, 3);
});

Deno.test("Oak: a WebSocket is opened behind the cache", async () => {
  await using redis = await connect({ url: "memory:" });
  const app = shop(redis, (router) => {
    router.get("/socket", (context) => {
      if (!context.isUpgradable) return void (context.response.body = "a page");
      const socket = context.upgrade();
      socket.onmessage = ({ data }) => socket.send(`heard ${data}`);
    });
  });
  await using server = await listen(app);
  assertEquals((await visit(`${server.url}/socket`)).body, "a page");
  assertEquals((await visit(`${server.url}/socket`)).cache, "HIT");
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket`);
  const heard = Promise.withResolvers<string>();
  socket.onopen = () => socket.send("hello");
  socket.onmessage = ({ data }) => heard.resolve(data);
  socket.onerror = () => heard.reject(new Error("no socket"));
  assertEquals(await heard.promise, "heard hello");
  const closed = Promise.withResolvers<void>();
  socket.onclose = () => closed.resolve();
  socket.close();
  await closed.promise;
});

/** What visitors see of an app with the cache and without it, the first of them and the second. */
async function compare(
  routes: (router: Router) => void,
  paths: readonly string[],
  given: Omit<NonNullable<Parameters<typeof shop>[2]>, "options"> = {},
): Promise<void> {
  await using redis = await connect({ url: "memory:" });
  const seen: unknown[] = [];
  for (const used of [undefined, redis]) {
    const failed: string[] = [];
    const app = shop(used, routes, given);
    app.addEventListener("error", ({ error }) => void failed.push(error.message));
    await using server = await listen(app);
    const all: unknown[] = [];
    for (const path of paths) {
      for (const who of ["a", "b"]) {
        const lines = [`GET ${path} HTTP/1.1`, "Host: shop", "Connection: close", `X-Who: ${who}`, "Accept: */*"];
        const { status, body, headers } = await sendRaw(server.port, `${lines.join("\r\n")}\r\n\r\n`);
        const own = [...headers].filter(([name]) =>
          !["date", "x-cache", "cache-status", "age", "transfer-encoding", "content-length", "vary"].includes(name)
        );
        all.push([path, who, status, body, own.sort()]);
      }
    }
    seen.push({ all, failed });
  }
  assertEquals(seen[1], seen[0]);
}

Deno.test("Oak: what a handler throws is answered by whoever is in front, once", async () => {
  const routes = (router: Router) => {
    router.get("/gone", (context) => context.throw(410, "it is gone"));
    router.get("/broken", () => {
      throw new Error("broken");
    });
    router.get("/teapot", (context) => context.throw(418));
  };
  await compare(routes, ["/gone", "/broken", "/teapot", "/none"]);
  await compare(routes, ["/gone", "/broken", "/teapot", "/none"], {
    front: async ({ response }, next) => {
      response.headers.append("x-front", "before");
      try {
        await next();
      } catch (error) {
        response.status = (error as { status?: number }).status ?? 500;
        response.body = `caught ${(error as Error).message}`;
      }
      response.headers.append("x-front", "after");
    },
  });
});

Deno.test("Oak: headers and cookies of middleware in front are sent once with what is not kept", async () => {
  let calls = 0;
  await compare(
    (router) => {
      router.get("/private", ({ response }) => {
        response.headers.set("cache-control", "private");
        response.headers.append("link", "</own>");
        response.body = "private";
      });
      router.get("/cookie", async ({ response, cookies }) => {
        await cookies.set("behind", "1");
        response.body = "with a cookie";
      });
      router.get("/fresh", ({ response }) => void (response.body = `call ${++calls > 0}`));
    },
    ["/private", "/cookie", "/with", "/fresh"],
    {
      front: async ({ request, response, cookies }, next) => {
        await cookies.set("front", request.headers.get("x-who") ?? "nobody");
        response.headers.append("link", "</front>");
        await next();
        if (response.writable) response.headers.append("link", "</behind>");
      },
    },
  );
});

Deno.test("Oak: bodies of all kinds, redirects and the app's own JSON are answered as without the cache", async () => {
  const bytes = new TextEncoder().encode("bytes");
  await compare((router) => {
    router.get("/bytes", ({ response }) => void (response.body = bytes));
    router.get("/stream", ({ response }) => void (response.body = new Blob(["stream"]).stream()));
    router.get("/blob", ({ response }) => void (response.body = new Blob(["blob"], { type: "text/x-blob" })));
    router.get("/form", ({ response }) => void (response.body = new URLSearchParams({ a: "b" })));
    router.get("/function", ({ response }) => void (response.body = () => Promise.resolve("made late")));
    router.get("/iterable", ({ response }) => {
      response.body = (async function* () {
        yield "one ";
        yield "two";
      })();
    });
    router.get("/json", ({ response }) => void (response.body = { name: "bread", secret: "recipe" }));
    router.get("/html", ({ response }) => void (response.body = "<p>page</p>"));
    router.get("/type", ({ response }) => {
      response.type = "text/markdown";
      response.body = "# page";
    });
    router.get("/moved", ({ response }) => {
      response.status = 301;
      response.redirect("/new");
    });
    router.get("/found", ({ response }) => response.redirect("/new"));
    router.get("/nothing", ({ response }) => void (response.status = 204));
  }, [
    ...["/bytes", "/stream", "/blob", "/form", "/function", "/iterable", "/json", "/html", "/type"],
    ...["/moved", "/found", "/nothing"],
  ], { app: { jsonBodyReplacer: (name: string, value: unknown) => name === "secret" ? undefined : value } });
});

Deno.test("Oak: a login behind the cache sets its cookie once, whether sessions are in front of it or behind", async () => {
  await using redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
  for (const place of ["front", "behind"]) {
    const app = application();
    if (place === "front") app.use(oak.session(redis) as never);
    app.use(oak.cacheResponse(redis, { ttl: "1m" }) as never);
    if (place === "behind") app.use(oak.session(redis) as never);
    let calls = 0;
    app.use(async (context) => {
      const session: RequestSession = oak.sessionOf(context as never);
      calls++;
      if (context.request.url.pathname === "/login") await session.create("ada", {});
      context.response.body = (await session.get())?.userId ?? "nobody";
    });
    await using server = await listen(app);
    const login = await visit(`${server.url}/login`);
    assertEquals([login.body, login.headers.getSetCookie().length, calls], ["ada", 1, 1], place);
    assert(login.headers.get("cache-control")?.includes("no-store"), place);
    const other = await visit(`${server.url}/login`);
    assert(other.headers.getSetCookie()[0] !== login.headers.getSetCookie()[0], "another session");
    const cookie = login.headers.getSetCookie()[0]!.split(";")[0]!;
    assertEquals((await visit(`${server.url}/me`, { headers: { cookie } })).body, "ada");
    const nobody = await visit(`${server.url}/me`);
    assertEquals([nobody.body, nobody.headers.get("set-cookie")], ["nobody", null]);
  }
});

Deno.test("Oak: a refusal that is thrown is no reason to serve an older response, a failure is", async () => {
  await using redis = await connect({ url: "memory:" });
  let state: 404 | 500 | undefined;
  const app = shop(redis, (router) => {
    router.get("/:page", (context) => {
      if (state) context.throw(state, "no");
      context.response.headers.set("cache-control", "max-age=1");
      context.response.body = "page";
    });
    router.get("/finished/page", ({ response }) => {
      response.with("finished", { headers: { "x-own": "1", "cache-control": "max-age=60" } });
    });
  }, { options: { ttl: "response", staleIfError: "1h" } });
  await using server = await listen(app);
  for (const page of ["/failed", "/gone"]) assertEquals((await visit(`${server.url}${page}`)).body, "page");
  await new Promise((resolve) => setTimeout(resolve, 1100));
  state = 404;
  const { status, body } = await visit(`${server.url}/gone`);
  assertEquals([status, body], [404, "no"]);
  state = 500;
  const failed = await visit(`${server.url}/failed`);
  assertEquals([failed.status, failed.body, failed.cache], [200, "page", "STALE"]);
  for (const cache of ["MISS", "HIT"]) {
    const finished = await visit(`${server.url}/finished/page`);
    assertEquals([finished.body, finished.headers.get("x-own"), finished.cache], ["finished", "1", cache]);
  }
});
