import { assertEquals, assertRejects } from "@std/assert";
import { stub } from "@std/testing/mock";
import { Hono } from "hono";
import type { Larder } from "../../mod.ts";
import { session, sessionOf } from "../../src/http/hono.ts";
import type { SessionHandler } from "../../src/sessions/with_session.ts";
import { ask, onBothStores, pairOf, serve } from "./served.ts";

type Handler = SessionHandler<Record<string, unknown>, unknown>;

/** A handler within another of the same sessions, over a socket. Tells whose the cookie is afterwards. */
async function userAfter(redis: Larder, outer: (next: () => Promise<Response>) => Handler, inner: Handler) {
  const within = redis.sessions.withSession(inner);
  await using service = serve(
    redis.sessions.withSession<unknown>((request, session, info) =>
      outer(() => within(request, info))(request, session, info)
    ),
  );
  const answer = await ask(service, "/", [], { method: "POST" });
  assertEquals(answer.cookies.length <= 1, true, "one cookie at most");
  if (answer.cookies.length === 0 || answer.cookies[0]!.includes("Max-Age=0")) return undefined;
  return (await redis.sessions.get(pairOf(answer).split("=")[1]!))?.userId;
}

const login: Handler = async (_, session) => {
  await session.create("ada", {});
  return new Response("in");
};

onBothStores("A handler within a handler has the session of that one", async (open) => {
  await using redis = await open();
  const before = (next: () => Promise<Response>): Handler => async (_, session) => {
    await session.update({ n: 1 });
    return await next();
  };
  assertEquals(await userAfter(redis, before, login), "ada", "a visitor logs in within");
  const after = (next: () => Promise<Response>): Handler => async (_, session) => {
    assertEquals(await session.get(), undefined);
    const response = await next();
    assertEquals((await session.update({ n: 1 }))?.userId, "ada");
    return response;
  };
  assertEquals(await userAfter(redis, after, login), "ada", "what is changed afterwards is changed there");
  const out = (next: () => Promise<Response>): Handler => async (_, session) => {
    const response = await next();
    assertEquals(await session.destroy(), true);
    return response;
  };
  await redis.sessions.destroyAll("ada");
  assertEquals([await userAfter(redis, out, login), await redis.sessions.list("ada")], [undefined, []]);
  const caught = (next: () => Promise<Response>): Handler => async () => {
    const error = await assertRejects(next, Error, "no");
    return new Response(error.message);
  };
  const fails: Handler = async (_, session) => {
    await session.get();
    throw new Error("no");
  };
  assertEquals(await userAfter(redis, caught, fails), undefined, "an error is that of who is around");
});

onBothStores("A request that is sent again is another one", async (open) => {
  await using redis = await open();
  const app = redis.sessions.withSession(login);
  const request = new Request("https://localhost/", { method: "POST" });
  await Promise.all([app(request), app(request)]);
  await app(request);
  assertEquals((await redis.sessions.list("ada")).length, 3);
});

onBothStores("A visitor's session does not take the place of a login that an app within has set", async (open) => {
  await using redis = await open();
  const within = new Hono();
  within.use(session(redis));
  within.post("/login", async (c) => c.json((await sessionOf(c).regenerate({ userId: "ada" })).userId));
  const app = new Hono();
  app.use(session(redis));
  app.use(async (c, next) => {
    await sessionOf(c).update({ n: 1 });
    await next();
  });
  app.mount("/app", within.fetch);
  await using service = serve(app.fetch);
  const answer = await ask(service, "/app/login", [], { method: "POST" });
  assertEquals([answer.body, answer.cookies.length], ['"ada"', 1]);
  assertEquals((await redis.sessions.get(pairOf(answer).split("=")[1]!))?.userId, "ada");
});

onBothStores("Nobody is left with half a login, whatever becomes of the answer", async (open) => {
  await using redis = await open();
  const nothing = undefined as unknown as Response;
  const used = async () => {
    const response = new Response("used");
    await response.text();
    return response;
  };
  const fail = () => Promise.reject(new Error("no"));
  const ways: [string, () => Promise<Response>, (() => Response | Promise<Response>)?][] = [
    ["the handler gives nothing", () => Promise.resolve(nothing)],
    ["the handler gives what cannot be sent", used],
    ["the handler throws what cannot be sent", async () => Promise.reject(await used())],
    ["onError throws", fail, fail],
    ["onError gives nothing", fail, () => nothing],
    ["onError gives what cannot be sent", fail, used],
  ];
  for (const [name, make, onError] of ways) {
    const app = redis.sessions.withSession<unknown>(async (_, session) => {
      await session.create("ada", {});
      return await make();
    }, { onError });
    await using service = serve(app);
    using told = stub(console, "error");
    const answer = await ask(service, "/", [], { method: "POST" });
    assertEquals([name, answer.status, answer.cookies.length, told.calls.length], [name, 500, 1, 1]);
    assertEquals((await redis.sessions.get(pairOf(answer).split("=")[1]!))?.userId, "ada");
  }
  const looks = redis.sessions.withSession(async (_, session) => {
    await session.get();
    return nothing;
  });
  await assertRejects(() => looks(new Request("https://localhost/")), TypeError, "wanted a Response, got undefined");
  const sorry = redis.sessions.withSession(async (_, session) => {
    await session.get();
    return nothing;
  }, { onError: (error) => new Response(String(error), { status: 500 }) });
  assertEquals((await sorry(new Request("https://localhost/"))).status, 500);
});
