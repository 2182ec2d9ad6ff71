import { assert, assertEquals, assertRejects } from "@std/assert";
import express from "express";
import session from "express-session";
import type { AddressInfo } from "node:net";
import { connect } from "../../mod.ts";
import { expressSessionStore, throttlerStorage } from "../../src/stores/mod.ts";
import { onBothStores } from "../sessions/served.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { OLDEST } from "../support/oldest.ts";
import { RedisServer } from "../support/redis_server.ts";

onBothStores("expressSessionStore() is a store for express-session", async (connect) => {
  await using redis = await connect();
  // deno-lint-ignore no-explicit-any -- the packages have no types
  const [app, sessions] = [express() as any, session as any];
  const store = expressSessionStore(sessions.Store as new () => object, redis);
  app.use(sessions({ store, secret: "a secret for tests", resave: false, saveUninitialized: false, rolling: true }));
  // deno-lint-ignore no-explicit-any -- as above
  app.get("/visit", (request: any, response: any) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.send(String(request.session.visits));
  });
  // deno-lint-ignore no-explicit-any -- as above
  app.get("/look", (request: any, response: any) => response.send(String(request.session.visits)));
  // deno-lint-ignore no-explicit-any -- as above
  app.get("/leave", (request: any, response: any) => request.session.destroy(() => response.send("bye")));
  const server = app.listen(0, "127.0.0.1");
  try {
    await new Promise((resolve) => server.once("listening", resolve));
    const ask = async (path: string, cookie = "") => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
      const response = await fetch(url, { headers: { cookie } });
      return [await response.text(), response.headers.getSetCookie()[0]?.split(";")[0]] as const;
    };
    const [first, cookie] = await ask("/visit");
    assertEquals([first, (await ask("/visit", cookie))[0], (await ask("/look", cookie))[0]], ["1", "2", "2"]);
    assertEquals((await ask("/look"))[0], "undefined");
    assertEquals((await ask("/leave", cookie))[0], "bye");
    assertEquals((await ask("/visit", cookie))[0], "1");
  } finally {
    await closeNodeServer(server);
  }
});

/** Calls a method of a store. */
// deno-lint-ignore no-explicit-any -- sessions are of any type there
async function call(run: (callback: (error: unknown, result?: any) => void) => void): Promise<any> {
  return await new Promise((resolve, reject) => run((error, result) => error ? reject(error) : resolve(result)));
}

// deno-lint-ignore no-explicit-any -- the package has no types
const Store = (session as any).Store as new () => object;

onBothStores("expressSessionStore() has what express-session asks for of a store", async (connect) => {
  await using redis = await connect();
  const store = expressSessionStore(Store, redis, { ttl: "1h" });
  const sessions = redis.cache.namespace("express-session");
  assertEquals(await call((done) => store.get("none", done)), null);
  assertEquals([await call((done) => store.length(done)), await call((done) => store.all(done))], [0, []]);
  const until = new Date(Date.now() + 60_000);
  await call((done) => store.set("a", { cookie: { expires: until }, user: "ada" } as never, done));
  await call((done) => store.set("b", { cookie: { expires: null } }, done));
  assertEquals(await call((done) => store.get("a", done)), { cookie: { expires: until.toISOString() }, user: "ada" });
  const [a, b] = [(await sessions.ttl("a"))!, (await sessions.ttl("b"))!];
  assert(a > 40 && a <= 60, `by its cookie: ${a}`);
  assert(b > 3580 && b <= 3600, `its cookie ends with the browser: ${b}`);
  assertEquals(await call((done) => store.length(done)), 2);
  const all = await call((done) => store.all(done)) as { id: string; user?: string }[];
  assertEquals(all.map(({ id, user }) => [id, user]).sort(), [["a", "ada"], ["b", undefined]]);
  const later = new Date(Date.now() + 600_000);
  await call((done) => store.touch("a", { cookie: { expires: later }, user: "of before" } as never, done));
  assert((await sessions.ttl("a"))! > 500);
  assertEquals(await call((done) => store.get("a", done)), { cookie: { expires: later.toISOString() }, user: "ada" });
  for (let round = 0; round < 10; round++) {
    // Of what is done at the same time a change is kept, and an end is an end.
    await Promise.all([
      call((done) => store.touch("a", { cookie: { expires: later } }, done)),
      call((done) => store.set("a", { cookie: { expires: later }, user: `${round}` } as never, done)),
    ]);
    assertEquals((await call((done) => store.get("a", done))).user, `${round}`);
    await call((done) => store.set("gone", { cookie: {} }, done));
    await Promise.all([
      call((done) => store.touch("gone", { cookie: {} }, done)),
      call((done) => store.destroy("gone", done)),
    ]);
    assertEquals(await call((done) => store.get("gone", done)), null);
  }
  await call((done) => store.touch("none", { cookie: {} }, done)); // is nothing, and makes none
  assertEquals(await call((done) => store.get("none", done)), null);
  await call((done) => store.set("a", { cookie: { expires: new Date(0) } }, done));
  assertEquals(await call((done) => store.get("a", done)), null, "its cookie was over");
  await call((done) => store.destroy("b", done));
  store.destroy("b"); // without a callback
  await call((done) => store.set("c", { cookie: {} }, done));
  await redis.cache.set("own", 1);
  await call((done) => store.clear(done));
  assertEquals([await call((done) => store.length(done)), await redis.cache.get("own")], [0, 1]);
});

Deno.test("expressSessionStore() tells an outage, so that nobody gets another session for his own", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, commandTimeout: "200ms", on: () => {} });
  const store = expressSessionStore(Store, redis);
  await call((done) => store.set("a", { cookie: {} }, done));
  await server.kill();
  await assertRejects(() => call((done) => store.get("a", done)), Error, "Cannot read session");
  await assertRejects(() => call((done) => store.set("b", { cookie: {} }, done)), Error, "Cannot store session");
  await assertRejects(() => call((done) => store.length(done)));
});

// The oldest never ends to load that package.
const counts = "throttlerStorage() counts as the storage of @nestjs/throttler does";
onBothStores(counts, async (connect) => {
  await using redis = await connect();
  const { ThrottlerStorageService } = await import("@nestjs/throttler");
  const own = new ThrottlerStorageService();
  try {
    const storage = throttlerStorage(redis);
    for (let call = 1; call <= 4; call++) {
      const args = ["10.0.0.1", 60_000, 3, 0, "default"] as const;
      const [ours, theirs] = [await storage.increment(...args), await own.increment(...args)];
      assertEquals([ours.totalHits, ours.isBlocked], [theirs.totalHits, theirs.isBlocked], `call ${call}`);
      assert(Math.abs(ours.timeToBlockExpire - theirs.timeToBlockExpire) <= 2);
      assert(ours.timeToExpire > 0 && ours.timeToExpire <= 61);
    }
    assertEquals((await storage.increment("10.0.0.2", 60_000, 3, 0, "default")).totalHits, 1);
    // Who is blocked for longer than the window is so when that is over.
    const blocked = async () => await storage.increment("10.0.0.3", 40, 1, 60_000, "block");
    assertEquals([(await blocked()).isBlocked, (await blocked()).isBlocked], [false, true]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const { isBlocked, totalHits, timeToBlockExpire } = await blocked();
    assertEquals([isBlocked, totalHits, timeToBlockExpire], [true, 2, 60]);
    assertEquals((await storage.increment("10.0.0.1", 60_000, 3, 0, "other")).totalHits, 1);
  } finally {
    own.onApplicationShutdown();
  }
}, { ignore: OLDEST });
