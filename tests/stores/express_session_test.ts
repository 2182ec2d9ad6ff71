import { assert, assertEquals } from "@std/assert";
import { ThrottlerStorageService } from "@nestjs/throttler";
import express from "express";
import session from "express-session";
import type { AddressInfo } from "node:net";
import { expressSessionStore, throttlerStorage } from "../../src/stores/mod.ts";
import { onBothStores } from "../sessions/served.ts";

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
    server.closeAllConnections?.();
    await new Promise((resolve) => server.close(resolve));
  }
});

onBothStores("throttlerStorage() counts as the storage of @nestjs/throttler does", async (connect) => {
  await using redis = await connect();
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
    assertEquals((await storage.increment("10.0.0.1", 60_000, 3, 0, "other")).totalHits, 1);
  } finally {
    own.onApplicationShutdown();
  }
});
