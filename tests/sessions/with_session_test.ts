import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { MemorySessionStore } from "../../src/sessions/memory_store.ts";
import type { RequestSession } from "../../src/sessions/request_session.ts";
import { Sessions } from "../../src/sessions/sessions.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

interface Data {
  n?: number;
  basket?: string[];
}

/** A store that counts and that can be down. */
class CountingStore extends MemorySessionStore {
  reads = 0;
  down = false;

  override read(...args: Parameters<MemorySessionStore["read"]>): ReturnType<MemorySessionStore["read"]> {
    this.reads++;
    if (this.down) return Promise.reject(new UnavailableError("read session", "timeout"));
    return super.read(...args);
  }
}

/** A browser with one cookie, and the app that it uses. */
class Visit {
  readonly clock = new ManualClock();
  readonly store = new CountingStore({ now: this.clock.now, touchEvery: 60_000 });
  readonly sessions: Sessions<Data>;
  jar: string | undefined;

  constructor(onUnavailable: "throw" | "none" = "throw") {
    this.sessions = new Sessions<Data>(this.store, { ttl: "1h", onUnavailable });
  }

  async send(
    handler: (session: RequestSession<Data>, request: Request) => unknown,
    info?: unknown,
    response: () => Response = () => new Response("ok"),
  ): Promise<Response> {
    const app = this.sessions.withSession(async (request, session) => {
      const answer = await handler(session, request);
      return answer instanceof Response ? answer : response();
    });
    const headers = new Headers({ "user-agent": "Test" });
    if (this.jar) headers.set("cookie", this.jar);
    const answer = await app(new Request("https://localhost/", { headers }), info);
    const set = answer.headers.get("set-cookie");
    if (set) this.jar = set.includes("Max-Age=0") ? undefined : set.split(";")[0];
    assertEquals(answer.headers.get("cache-control"), set ? "no-store" : null);
    return answer;
  }
}

function sets(response: Response): "nothing" | "cookie" | "removal" {
  const set = response.headers.get("set-cookie");
  return set === null ? "nothing" : set.includes("Max-Age=0") ? "removal" : "cookie";
}

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

Deno.test("withSession() removes the cookie at a logout, and one that is dead or garbage", async () => {
  const visit = new Visit();
  await visit.send((session) => session.create("ada", {}));
  assertEquals(sets(await visit.send((session) => session.destroy())), "removal");
  assertEquals(visit.store.size, 0);

  await visit.send((session) => session.create("ada", {}));
  await visit.sessions.destroyAll("ada");
  assertEquals(sets(await visit.send(() => {})), "nothing");
  assertEquals(sets(await visit.send((session) => session.get())), "removal");

  visit.jar = "__Host-session=garbage";
  assertEquals(sets(await visit.send((session) => session.get())), "removal");
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
  assertEquals(sets(response), "removal");
  assertEquals(visit.store.size, 0);
  await visit.send((session) => session.create("ada", { n: 1 }));
  const second = await visit.send(async (session) => {
    assert(await session.get());
    await visit.sessions.destroyAll("ada");
    assertEquals(await session.regenerate(), undefined);
  });
  assertEquals([sets(second), visit.store.size], ["removal", 0]);
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
