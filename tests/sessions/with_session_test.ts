import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { MemorySessionStore } from "../../src/sessions/memory_store.ts";
import { Sessions } from "../../src/sessions/sessions.ts";
import type { RequestSession } from "../../src/sessions/request_session.ts";
import { type Data, sets, Visit } from "./visit.ts";

Deno.test("withSession() has no session, no row and no cookie for a visitor without data", async () => {
  const visit = new Visit();
  assertEquals(sets(await visit.send(() => {})), "nothing");
  assertEquals(sets(await visit.send((session) => session.get())), "nothing");
  assertEquals([visit.store.size, visit.store.reads], [0, 0]);
  assertEquals(sets(await visit.send((session) => session.destroy())), "nothing");
  assertEquals(sets(await visit.send((session) => session.regenerate())), "nothing");
  assertEquals(visit.store.size, 0);
});

Deno.test("withSession() begins a session for a visitor with data, and reads it lazily and once", async () => {
  const visit = new Visit();
  assertEquals(sets(await visit.send((session) => session.update({ n: 1 }))), "cookie");
  assertEquals([visit.store.size, visit.store.reads], [1, 0]);
  assertEquals(sets(await visit.send(() => {})), "nothing");
  assertEquals(visit.store.reads, 0);
  await visit.send(async (session) => {
    const [a, b] = await Promise.all([session.get(), session.get()]);
    assertEquals([a?.data, a === b, a?.userId], [{ n: 1 }, true, ""]);
    await session.update(({ n = 0 }) => ({ n: n + 1 }));
    assertEquals((await session.get())?.data, { n: 2 });
  });
  assertEquals([visit.store.size, visit.store.reads], [1, 2]); // one more by the function
});

Deno.test("withSession() sends the cookie again exactly when the expiry moved", async () => {
  const visit = new Visit();
  await visit.send((session) => session.create("ada", {}));
  const jar = visit.jar;
  const seen: string[] = [];
  for (let i = 0; i < 5; i++) {
    seen.push(sets(await visit.send((session) => session.get())));
    visit.clock.advance("30s");
  }
  assertEquals(seen, ["nothing", "nothing", "cookie", "nothing", "cookie"]);
  assertEquals(visit.jar, jar);
  visit.clock.advance("2m");
  assertEquals(sets(await visit.send(() => {})), "nothing", "it was not asked for");
  assertEquals(sets(await visit.send((session) => session.update({ n: 1 }))), "cookie");
});

Deno.test("withSession() gives a new id at a login, ends the one before and keeps what is wanted", async () => {
  const visit = new Visit();
  await visit.send((session) => session.update({ basket: ["tea"] }));
  const planted = visit.jar;
  assertEquals(sets(await visit.send((session) => session.regenerate({ userId: "ada", data: { n: 1 } }))), "cookie");
  assertNotEquals(visit.jar, planted);
  await visit.send(async (session) => {
    const { userId, data } = (await session.get())!;
    assertEquals([userId, data], ["ada", { basket: ["tea"], n: 1 }]);
  });
  const before = visit.jar;
  const info = { remoteAddr: { transport: "tcp", hostname: "192.0.2.7", port: 1 } };
  await visit.send((session) => session.create("bob", {}), info);
  assertNotEquals(visit.jar, before);
  assertEquals(await visit.sessions.list("ada"), []);
  const [bob] = await visit.sessions.list("bob");
  assertEquals(bob?.device, { userAgent: "Test", address: "192.0.2.7" });
  assertEquals(visit.store.size, 1);
  const stranger = new Visit();
  assertEquals(sets(await stranger.send((session) => session.regenerate({ userId: "eve", data: { n: 2 } }))), "cookie");
  assertEquals((await stranger.sessions.list("eve")).length, 1);
});

Deno.test("withSession() removes the cookie at a logout, and leaves one alone that is dead or garbage", async () => {
  const visit = new Visit();
  await visit.send((session) => session.create("ada", {}));
  assertEquals(sets(await visit.send((session) => session.destroy())), "removal");
  assertEquals(visit.store.size, 0);

  await visit.send((session) => session.create("ada", {}));
  await visit.sessions.destroyAll("ada");
  assertEquals(sets(await visit.send(() => {})), "nothing");
  assertEquals(sets(await visit.send((session) => session.get())), "nothing", "the browser may have another by now");
  assertEquals(sets(await visit.send((session) => session.destroy())), "nothing");

  visit.jar = "__Host-session=garbage";
  assertEquals(sets(await visit.send((session) => session.get())), "nothing");
  visit.jar = "__Host-session=garbage";
  assertEquals(sets(await visit.send((session) => session.update({ n: 1 }))), "cookie");
});

Deno.test("withSession() does not bring back a session that was ended while the handler ran", async () => {
  const visit = new Visit();
  await visit.send((session) => session.create("ada", { n: 1 }));
  const response = await visit.send(async (session) => {
    assert(await session.get());
    await visit.sessions.destroyAll("ada");
    assertEquals(await session.update({ n: 2 }), undefined);
    assertEquals(await session.get(), undefined);
  });
  assertEquals(sets(response), "nothing");
  assertEquals(visit.store.size, 0);
  await visit.send((session) => session.create("ada", { n: 1 }));
  const second = await visit.send(async (session) => {
    assert(await session.get());
    await visit.sessions.destroyAll("ada");
    assertEquals(await session.regenerate(), undefined);
  });
  assertEquals([sets(second), visit.store.size], ["nothing", 0]);
});

Deno.test("withSession() passes an outage on, or by option goes on without, and never removes the cookie then", async () => {
  const visit = new Visit();
  await visit.send((session) => session.create("ada", {}));
  visit.store.down = true;
  await assertRejects(() => visit.send((session) => session.get()), UnavailableError);
  await visit.send(() => {}); // who does not ask is not concerned

  const tolerant = new Visit("none");
  await tolerant.send((session) => session.create("ada", {}));
  tolerant.store.down = true;
  const response = await tolerant.send(async (session) => assertEquals(await session.get(), undefined));
  assertEquals(sets(response), "nothing");
  tolerant.store.down = false;
  await tolerant.send(async (session) => assert(await session.get()));
});

Deno.test("withSession() works with responses whose headers cannot be changed, and keeps their cookies", async () => {
  const visit = new Visit();
  const redirect = await visit.send(
    (session) => session.create("ada", {}),
    undefined,
    () => Response.redirect("https://localhost/x"),
  );
  assertEquals([redirect.status, redirect.headers.get("location")], [302, "https://localhost/x"]);
  assertEquals(sets(redirect), "cookie");
  const own = await visit.send(
    (session) => session.destroy(),
    undefined,
    () => new Response("body", { status: 201, headers: { "set-cookie": "a=1" } }),
  );
  assertEquals([own.status, await own.text(), own.headers.getSetCookie().length], [201, "body", 2]);
});

Deno.test("withSession() leaves each kind of response what it is", async () => {
  const visit = new Visit();
  const login = (session: RequestSession<Data>) => session.create("ada", {});
  const responses: [number, () => Response | Promise<Response>][] = [
    [204, () => new Response(null, { status: 204 })],
    [304, () => new Response(null, { status: 304, headers: { etag: '"1"' } })],
    [307, () => Response.redirect("https://localhost/x", 307)],
    [200, () => fetch("data:text/plain,fetched")],
    [200, () => Response.json({ a: 1 }, { headers: { "cache-control": "public" } })],
  ];
  for (const [status, make] of responses) {
    const response = await visit.send(async (session) => {
      await login(session);
      return await make();
    });
    assertEquals([response.status, sets(response)], [status, "cookie"]);
    assertEquals(response.headers.get("etag"), status === 304 ? '"1"' : null);
    await response.body?.cancel();
  }
  const switched = await visit.send(async (session) => {
    await login(session);
    return new Response(null, { status: 101 });
  });
  assertEquals([switched.status, sets(switched)], [101, "nothing"]);
});

Deno.test("withSession() keeps the address that is trusted, and no other", async () => {
  const info = { remoteAddr: { transport: "tcp", hostname: "10.0.0.1", port: 1 } };
  const visit = new Visit();
  const { sessions } = visit;
  const request = (address: string) =>
    new Request("https://localhost/", { headers: { "x-real-ip": address, "x-forwarded-for": address } });
  const login = (_: Request, session: RequestSession<Data>) =>
    session.regenerate({ userId: "ada" }).then(() => new Response());
  const addressOf = async () => (await sessions.list("ada")).map(({ device }) => device?.address);
  await sessions.withSession(login)(request("192.0.2.66"), info);
  assertEquals(await addressOf(), ["10.0.0.1"], "whoever writes a header is not believed");
  await sessions.destroyAll("ada");
  const behindProxy = sessions.withSession(login, { address: ({ headers }) => headers.get("x-real-ip") ?? undefined });
  await behindProxy(request("192.0.2.7"), info);
  assertEquals(await addressOf(), ["192.0.2.7"]);
  await sessions.destroyAll("ada");
  await sessions.withSession(login, { address: () => undefined })(request("192.0.2.7"), info);
  assertEquals(await addressOf(), [undefined]);
});

Deno.test("withSession() passes on what a handler throws where there is no cookie to send", async () => {
  const visit = new Visit();
  const broken = () => {
    throw new Error("the page is broken");
  };
  await assertRejects(() => visit.send(broken), Error, "the page is broken");
  await visit.send((session) => session.create("ada", {}));
  await assertRejects(() => visit.send((session) => session.get().then(broken)), Error, "the page is broken");
});

Deno.test("withSession() takes no id that it did not give out", async () => {
  const visit = new Visit();
  const planted = `__Host-session=${"A".repeat(43)}`;
  for (
    const change of [(s: RequestSession<Data>) => s.update({ n: 1 }), (s: RequestSession<Data>) => s.create("ada", {})]
  ) {
    visit.jar = planted;
    assertEquals(sets(await visit.send(change)), "cookie");
    assertNotEquals(visit.jar, planted);
  }
  assertEquals(await visit.sessions.get("A".repeat(43)), undefined);
  // A session of somebody else, planted as a cookie, is not the one that the victim logs in to.
  const attacker = new Visit();
  await attacker.send((session) => session.update({ basket: ["bait"] }));
  const bait = attacker.jar!;
  await attacker.send((session) => session.regenerate({ userId: "victim" }));
  const [pair] = bait.split(";");
  assertEquals(await attacker.sessions.get(pair!.split("=")[1]), undefined);
});

Deno.test("withSession() serves over HTTP, with streams, and tells the address of the client", async () => {
  const sessions = new Sessions<Data>(new MemorySessionStore(), { cookie: { insecure: true } });
  const handler = sessions.withSession(async (request, session, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => {
    if (new URL(request.url).pathname === "/login") await session.create("ada", {});
    assert(info.remoteAddr.port > 0);
    return new Response(ReadableStream.from(["a", "b"]).pipeThrough(new TextEncoderStream()));
  });
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  const response = await fetch(`http://127.0.0.1:${server.addr.port}/login`);
  assertEquals(await response.text(), "ab");
  assertEquals(sets(response), "cookie");
  assertEquals((await sessions.list("ada"))[0]?.device?.address, "127.0.0.1");
});
