import { Application } from "@oakserver/oak";
import { createServer } from "node:http";
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { stub } from "@std/testing/mock";
import { Hono } from "hono";
// deno-lint-ignore no-import-prefix -- a part of the package, of the version that deno.json has
import { bodyLimit } from "npm:hono@4.13.19/body-limit";
import type { Larder, LarderEvent } from "../../mod.ts";
import { fromNodeRequest } from "../../src/http/mod.ts";
import * as hono from "../../src/http/hono.ts";
import * as oak from "../../src/http/oak.ts";
import type { RequestSession } from "../../src/sessions/request_session.ts";
import { ask, onBothStores, pairOf, serve } from "../sessions/served.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { setHeaders, withoutAdded } from "../support/oldest.ts";

type Handler = Deno.ServeHandler<Deno.NetAddr>;
type Page = (session: RequestSession, request: Request) => Response | Promise<Response>;

/** The same pages behind each kind of middleware. */
const KINDS: Record<string, (redis: Larder, page: Page, roll?: boolean) => Handler> = {
  "withSession()": (redis, page, roll) =>
    redis.sessions.withSession<unknown>((request, session) => page(session, request), { roll }),
  "forRequest()": (redis, page, roll) => async (request, info) => {
    const session = redis.sessions.forRequest(request, info, { roll });
    let response: Response;
    try {
      response = await page(session, request);
    } catch (error) {
      response = error instanceof Response ? error : new Response("sorry", { status: 500 });
    }
    await session.settle();
    return session.apply(response);
  },
  "session() for Hono"(redis, page, roll) {
    const app = new Hono();
    app.onError((_error, context) => context.text("sorry", 500));
    app.use(hono.session(redis, { roll }));
    app.use("/twice", hono.session(redis, { roll }));
    app.all("*", (context) => page(hono.sessionOf(context), context.req.raw));
    return (request, info) => app.fetch(request, info);
  },
  "session() for Oak"(redis, page, roll) {
    const app = new Application({ logErrors: false });
    app.use(oak.session(redis, { roll }), oak.session(redis, { roll }));
    app.use(async (context) => {
      const { status, headers, body } = await page(
        oak.sessionOf(context),
        context.request.source as unknown as Request ??
          new Request(context.request.url, { method: context.request.method, headers: context.request.headers }),
      );
      context.response.status = status;
      context.response.body = body && await new Response(body).text();
      for (const [name, value] of headers) context.response.headers.append(name, value);
    });
    return async (request) => {
      const { status, headers, body } = await app.handle(request as never) as unknown as Response;
      return new Response(body, { status, headers: [...headers] });
    };
  },
};

const pathOf = (request: Request) => new URL(request.url).pathname;

for (const [name, app] of Object.entries(KINDS)) {
  onBothStores(`An error or a thrown Response loses no cookie: ${name}`, async (open) => {
    await using redis = await open();
    const errors: unknown[] = [];
    await using service = serve(quiet(
      errors,
      app(redis, async (session, request) => {
        const path = pathOf(request);
        if (path === "/login/broken") await session.create("ada", { n: 1 });
        if (path === "/renew/broken") await session.regenerate();
        if (path === "/end/thrown") await session.destroy();
        if (path === "/login/thrown") await session.regenerate({ userId: "bob" });
        if (path.endsWith("/thrown")) throw new Response("elsewhere", { status: 403, headers: { "x-own": "1" } });
        if (path.endsWith("/broken")) throw new Error("the page is broken");
        return new Response((await session.get())?.userId ?? "nobody");
      }),
    ));
    const login = await ask(service, "/login/broken", [], { method: "POST" });
    assertEquals([login.status, login.cookies.length, login.body.includes("broken")], [500, 1, false]);
    assertEquals(login.header("cache-control"), "no-store");
    const first = pairOf(login);
    assertEquals((await ask(service, "/", [`Cookie: ${first}`])).body, "ada");
    const renewed = await ask(service, "/renew/broken", [`Cookie: ${first}`], { method: "POST" });
    assertNotEquals(pairOf(renewed), first);
    assertEquals((await ask(service, "/", [`Cookie: ${pairOf(renewed)}`])).body, "ada");

    const thrown = await ask(service, "/login/thrown", [], { method: "POST" });
    assertEquals([thrown.status, thrown.body, thrown.header("x-own")], [403, "elsewhere", "1"]);
    assertEquals((await ask(service, "/", [`Cookie: ${pairOf(thrown)}`])).body, "bob");
    const out = await ask(service, "/end/thrown", [`Cookie: ${pairOf(thrown)}`], { method: "POST" });
    assert(out.cookies[0]?.includes("Max-Age=0"));
    const bare = await ask(service, "/broken");
    assertEquals([bare.status, bare.cookies], [500, []]);
  });

  onBothStores(`What was not awaited is done before the response goes: ${name}`, async (open) => {
    const events: LarderEvent[] = [];
    await using redis = await open({ on: (event) => events.push(event) });
    const never = Promise.withResolvers<never>();
    await using service = serve(app(redis, async (session, request) => {
      const path = pathOf(request);
      if (path === "/login") void session.create("ada", { n: 1 });
      if (path === "/count") void session.update(async ({ n }) => ({ n: await later(n as number + 1) }));
      if (path === "/fails") void session.update(() => Promise.reject(new Error("no")));
      if (path === "/hangs") void session.update(() => never.promise);
      if (path === "/read") return Response.json((await session.get())?.data ?? null);
      return new Response("ok");
    }));
    const cookie = `Cookie: ${pairOf(await ask(service, "/login", [], { method: "POST" }))}`;
    await ask(service, "/count", [cookie], { method: "POST" });
    assertEquals((await ask(service, "/fails", [cookie], { method: "POST" })).status, 200);
    assertEquals((await ask(service, "/read", [cookie])).body, '{"n":2}');
    assertEquals(events.filter(({ type }) => type === "warning"), []);
    assertEquals((await ask(service, "/hangs", [cookie], { method: "POST" })).status, 200, "it does not hang for ever");
    const warnings = events.filter((event) => event.type === "warning").map(({ message }) => message);
    assertEquals(warnings.length, 1, String(warnings));
    assert(/not awaited/.test(warnings[0]!));
    never.reject(new Error("over"));
  });

  onBothStores(`Polling does not keep a session alive: ${name}`, async (open) => {
    await using redis = await open({ sessions: { touchEvery: 0 } });
    const page: Page = async (session, request) => {
      if (pathOf(request) === "/login") await session.create("ada", {});
      return new Response((await session.get())?.userId ?? "nobody");
    };
    await using rolls = serve(app(redis, page));
    await using polls = serve(app(redis, page, false));
    const login = await ask(rolls, "/login", [], { method: "POST" });
    const cookie = `Cookie: ${pairOf(login)}`;
    const expiry = async () => (await redis.sessions.list("ada"))[0]!.expiresAt;
    const before = await expiry();
    await later(undefined);
    const polled = await ask(polls, "/twice", [cookie]);
    assertEquals([polled.body, polled.cookies, await expiry()], ["ada", [], before]);
    const used = await ask(rolls, "/twice", [cookie]);
    assertEquals([used.body, used.cookies.length], ["ada", 1]);
    assert(await expiry() > before);
  });
}

onBothStores("withSession() asks onError what to answer, and the answer carries the cookie", async (open) => {
  await using redis = await open();
  await using service = serve(redis.sessions.withSession<unknown>(async (request, session) => {
    if (pathOf(request) === "/login") await session.create("ada", {});
    throw new RangeError("out of range");
  }, { onError: (error, request) => new Response(`${error} at ${pathOf(request)}`, { status: 418 }) }));
  const login = await ask(service, "/login", [], { method: "POST" });
  assertEquals([login.status, login.body], [418, "RangeError: out of range at /login"]);
  assertEquals((await redis.sessions.get(pairOf(login).split("=")[1]))?.userId, "ada");
  const other = await ask(service, "/other");
  assertEquals([other.status, other.body, other.cookies], [418, "RangeError: out of range at /other", []]);
});

onBothStores("sessionOf() finds the session behind what puts another request into Hono's context", async (open) => {
  await using redis = await open();
  const app = new Hono();
  app.use(hono.session(redis));
  app.use(bodyLimit({ maxSize: 1024 }));
  app.post("/login", async (context) => {
    await hono.sessionOf(context).create(await context.req.text(), {});
    return context.text("in");
  });
  const mounted = new Hono();
  mounted.get("/me", async (context) => context.text((await hono.sessionOf(context).get())?.userId ?? "nobody"));
  app.route("/app", mounted);
  await using service = serve((request, info) => app.fetch(request, info));
  const chunked = ["Transfer-Encoding: chunked"];
  const login = await ask(service, "/login", chunked, { method: "POST", chunked: "3\r\nada\r\n0\r\n\r\n" });
  assertEquals([login.status, login.body], [200, "in"]);
  assertEquals((await ask(service, "/app/me", [`Cookie: ${pairOf(login)}`])).body, "ada");
});

onBothStores("forRequest() takes what fromNodeRequest() makes of a request of node:http", async (open) => {
  await using redis = await open();
  const server = createServer(async (incoming, outgoing) => {
    const { request, info } = fromNodeRequest(incoming);
    const session = redis.sessions.forRequest(request, info);
    if (incoming.method === "POST") await session.regenerate({ userId: "ada" });
    const user = (await session.get())?.userId ?? "nobody";
    await session.settle();
    setHeaders(outgoing, session.headers({ "cache-control": "public, max-age=9" })).end(user);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as { port: number };
    const login = await ask({ port }, "/login", [], { method: "POST" });
    assertEquals([login.body, login.cookies.length, login.header("cache-control")], ["ada", 1, "no-store"]);
    const me = await ask({ port }, "/", ["Cookie: a=1", `Cookie: ${pairOf(login)}`]);
    assertEquals([me.body, withoutAdded(me.header("vary")), me.header("cache-control")], [
      "ada",
      "Cookie",
      "max-age=9, private",
    ]);
    assertEquals((await redis.sessions.list("ada"))[0]?.device?.address, "127.0.0.1");
    assertEquals((await ask({ port }, "/")).body, "nobody");
  } finally {
    await closeNodeServer(server);
  }
});

Deno.test("session() refuses options that there are not", async () => {
  const { connect } = await import("../../mod.ts");
  await using redis = await connect({ url: "memory:" });
  const wrong = { rol: false } as Record<string, unknown>;
  for (
    const make of [
      () => hono.session(redis, wrong),
      () => oak.session(redis, wrong),
      () => redis.sessions.withSession(() => new Response(), wrong),
      () => redis.sessions.forRequest(new Request("http://localhost/"), undefined, wrong),
    ]
  ) assertThrows(make, TypeError, 'such as "roll"');
  for (const none of [undefined, null, "GET /", { headers: {} }]) {
    assertThrows(() => redis.sessions.forRequest(none as never), TypeError, "wanted a Request, got");
  }
});

function later<T>(value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value), 30));
}

/** Servers tell errors on the console: here they are kept, so that the output of the tests is readable. */
function quiet(errors: unknown[], handler: Handler): Handler {
  return async (request, info) => {
    using _ = stub(console, "error", (...parts) => void errors.push(parts));
    try {
      return await handler(request, info);
    } catch (thrown) {
      errors.push(thrown);
      return new Response("sorry", { status: 500 });
    }
  };
}
