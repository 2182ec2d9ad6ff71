import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { UnavailableError } from "../../src/errors.ts";
import type { RequestSession } from "../../src/sessions/request_session.ts";
import { type Data, sets, Visit } from "./visit.ts";

Deno.test("RequestSession.update() many times at once by a visitor makes one session with all of it", async () => {
  const visit = new Visit();
  const response = await visit.send(async (session) => {
    await Promise.all([
      session.update({ n: 1 }),
      session.update({ basket: ["tea"] }),
      session.update(({ n = 0 }) => ({ n: n + 1 })),
    ]);
  });
  assertEquals([sets(response), visit.store.size], ["cookie", 1]);
  await visit.send(async (session) => assertEquals((await session.get())?.data, { n: 2, basket: ["tea"] }));
});

Deno.test("RequestSession does one thing after the other: what was ended or renewed last is what counts", async () => {
  const visit = new Visit();
  await visit.send((session) => session.create("ada", { n: 1 }));
  const out = await visit.send(async (session) => {
    await session.get();
    const [updated, destroyed] = await Promise.all([session.update({ n: 2 }), session.destroy()]);
    assertEquals([updated?.data.n, destroyed], [2, true]);
    assertEquals(await session.get(), undefined);
  });
  assertEquals([sets(out), visit.store.size], ["removal", 0]);

  await visit.send((session) => session.create("ada", { n: 1 }));
  await visit.send(async (session) => {
    const [renewed, updated] = await Promise.all([session.regenerate(), session.update({ n: 2 })]);
    assert(renewed && updated);
    assertEquals([updated.id, updated.data], [renewed.id, { n: 2 }]);
  });
  await visit.send(async (session) => assertEquals((await session.get())?.data, { n: 2 }));
  const both = await visit.send(async (session) => {
    await Promise.all([session.create("ada", {}), session.create("bob", {})]);
  });
  assertEquals([sets(both), visit.store.size], ["cookie", 1]);
  assertEquals((await visit.sessions.list("bob")).length, 1);
});

Deno.test("RequestSession.update() by a visitor that leaves no data makes no session", async () => {
  const visit = new Visit();
  const response = await visit.send(async (session) => {
    assertEquals(await session.update({}), undefined);
    assertEquals(await session.update({ n: undefined }), undefined);
    assertEquals(await session.update(() => ({ basket: undefined })), undefined);
  });
  assertEquals([sets(response), visit.store.size], ["nothing", 0]);
  visit.jar = "__Host-session=garbage";
  assertEquals(sets(await visit.send((session) => session.update({ n: undefined }))), "nothing");
  await assertRejects(() => visit.send((session) => session.update(null as unknown as Data)), TypeError);
});

Deno.test("RequestSession does not go back to what a slow get() read", async () => {
  const visit = new Visit();
  for (const change of ["create", "destroy"] as const) {
    await visit.send((session) => session.create("ada", {}));
    const before = visit.jar;
    visit.clock.advance("5m"); // the expiry moves with the next read
    const response = await visit.send(async (session) => {
      const gate = Promise.withResolvers<void>();
      visit.store.gate = gate.promise;
      const slow = session.get();
      await (change === "create" ? session.create("bob", {}) : session.destroy());
      gate.resolve();
      assertEquals((await slow)?.userId, "ada", "that is what it was");
      assertEquals((await session.get())?.userId, change === "create" ? "bob" : undefined);
      visit.store.gate = undefined;
    });
    assertEquals(sets(response), change === "create" ? "cookie" : "removal");
    assert(visit.jar !== before);
    await visit.send(async (session) => {
      assertEquals((await session.get())?.userId, change === "create" ? "bob" : undefined);
    });
  }
});

Deno.test("RequestSession shows no token to who looks at it", async () => {
  const visit = new Visit();
  await visit.send((session) => session.create("ada", {}));
  const token = visit.jar!.split("=")[1]!;
  await visit.send(async (session) => {
    assertEquals((await session.get())?.id, token);
    const shown = Deno.inspect(session, { depth: 9, showHidden: true }) + JSON.stringify(session) + String(session);
    assertEquals(shown.includes(token), false, shown);
  });
});

Deno.test("RequestSession goes on after what failed", async () => {
  const visit = new Visit();
  await visit.send(async (session) => {
    const failing = session.update(() => Promise.reject(new Error("no")));
    const [, updated] = await Promise.all([assertRejects(() => failing, Error, "no"), session.update({ n: 3 })]);
    assertEquals(updated?.data, { n: 3 });
  });
  assertEquals(visit.store.size, 1);
});

Deno.test("RequestSession begins no session in place of one that could not be read in an outage", async () => {
  const visit = new Visit("none");
  await visit.send((session) => session.create("ada", { n: 1 }));
  const jar = visit.jar;
  const changes: ((session: RequestSession<Data>) => Promise<unknown>)[] = [
    (session) => session.update({ n: 2 }),
    (session) => session.regenerate({ userId: "eve" }),
  ];
  for (const change of changes) {
    const response = await visit.send(async (session) => {
      visit.store.down = true;
      assertEquals(await session.get(), undefined);
      visit.store.failing = true;
      await assertRejects(() => change(session), UnavailableError);
      visit.store.failing = visit.store.down = false;
    });
    assertEquals([sets(response), visit.jar, visit.store.size], ["nothing", jar, 1]);
  }
  const back = await visit.send(async (session) => {
    visit.store.down = true;
    assertEquals(await session.get(), undefined);
    visit.store.down = false; // the server is back within one request
    const updated = await session.update({ n: 3 });
    assertEquals([updated?.userId, updated?.data], ["ada", { n: 3 }]);
    assertEquals((await session.get())?.data, { n: 3 });
  });
  assertEquals([sets(back), visit.store.size], ["nothing", 1]);
});

Deno.test("RequestSession keeps the order of changes however long one takes, until the request ends", async () => {
  using time = new FakeTime();
  const visit = new Visit();
  await visit.send((session) => session.create("ada", { n: 1 }));
  const [gate, ended] = [Promise.withResolvers<void>(), new AbortController()];
  const request = new Request("https://localhost/", { headers: { cookie: visit.jar! }, signal: ended.signal });
  const session = visit.sessions.forRequest(request);
  const slow = session.update(async ({ n = 0 }) => {
    await gate.promise;
    return { n: n * 10 };
  });
  let done = false;
  const next = session.update(({ n = 0 }) => ({ n: n + 1 })).finally(() => done = true);
  await time.tickAsync(60_000);
  assertEquals(done, false, "it waits");
  gate.resolve();
  await time.tickAsync(1000);
  await slow;
  assertEquals((await next)?.data, { n: 11 });

  const never = session.update(() => new Promise<Data>(() => {}));
  const waits = assertRejects(() => session.update({ n: 5 }), Error, "gone away");
  const given = new AbortController();
  const gives = assertRejects(() => session.destroy({ signal: given.signal }), Error, "given up");
  given.abort(new Error("given up"));
  await gives;
  ended.abort(new Error("gone away"));
  await time.tickAsync(1000);
  await waits;
  void never;
  assertEquals((await visit.sessions.list("ada")).length, 1);
});

Deno.test("RequestSession does a change within the function of another without waiting for it", async () => {
  const visit = new Visit();
  await visit.send(async (session) => {
    const outer = await session.update(async () => {
      await session.create("ada", { basket: ["tea"] });
      return { n: 1 };
    });
    assertEquals([outer?.userId, outer?.data], ["ada", { basket: ["tea"], n: 1 }]);
  });
  await visit.send(async (session) => assertEquals((await session.get())?.userId, "ada"));
  assertEquals(visit.store.size, 1);
});
