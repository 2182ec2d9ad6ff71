import { assertEquals } from "@std/assert";
import type { LarderEvent } from "../../mod.ts";
import { ask, onBothStores, serve } from "./served.ts";

/** What `on` was told as a warning. */
function warningsIn(events: readonly LarderEvent[]): string[] {
  return events.flatMap((event) => event.type === "warning" ? [event.message] : [])
    .filter((message) => message.includes("after its response went"));
}

onBothStores(
  "A session that is renewed or ended after the response went is told, for the browser is not",
  async (connect) => {
    const events: LarderEvent[] = [];
    await using redis = await connect({ on: (event) => void events.push(event) });
    const late: Promise<unknown>[] = [];
    let goOn = Promise.withResolvers<void>();
    await using served = serve(redis.sessions.withSession(async (request, session) => {
      if (new URL(request.url).pathname === "/login") {
        await session.create("ada", { visits: 1 });
        return new Response("in");
      }
      await session.get();
      const { pathname } = new URL(request.url);
      late.push(goOn.promise.then(async () => {
        if (pathname === "/data") await session.update({ visits: 2 });
        if (pathname === "/out") await session.destroy();
      }));
      return new Response("page");
    }));
    const cookie = (await ask(served, "/login")).cookies[0]!.split(";")[0]!;
    assertEquals((await ask(served, "/data", [`Cookie: ${cookie}`])).body, "page");
    goOn.resolve();
    await Promise.all(late);
    assertEquals(warningsIn(events), [], "data needs no cookie");
    goOn = Promise.withResolvers();
    await ask(served, "/out", [`Cookie: ${cookie}`]);
    goOn.resolve();
    await Promise.all(late);
    assertEquals(warningsIn(events).length, 1);
  },
);

onBothStores(
  "A session that a body looks at after the head went is told, for nothing says that it is private",
  async (connect) => {
    const events: LarderEvent[] = [];
    await using redis = await connect({ on: (event) => void events.push(event) });
    await using served = serve(redis.sessions.withSession((_, session) =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 10));
            controller.enqueue(new TextEncoder().encode((await session.get())?.userId ?? "nobody"));
            controller.close();
          },
        }, { highWaterMark: 0 }),
      )
    ));
    assertEquals((await ask(served, "/")).status, 200);
    assertEquals(warningsIn(events).length, 1);
  },
);

onBothStores(
  "Handlers within handlers, and answers that are told before they go, are no reason to warn",
  async (connect) => {
    const events: LarderEvent[] = [];
    await using redis = await connect({ on: (event) => void events.push(event) });
    const inner = redis.sessions.withSession(async (_, session) => {
      await session.get();
      return new Response("page");
    });
    await using served = serve(redis.sessions.withSession(async (request, session) => {
      const response = await inner(request);
      await session.create("ada", {});
      return response;
    }));
    assertEquals((await ask(served, "/")).cookies.length, 1);
    assertEquals(warningsIn(events), []);
  },
);

onBothStores("Sessions.destroyAll() spares the session of an id that was renewed a moment ago", async (connect) => {
  await using redis = await connect({ sessions: { renewalGrace: "1m" } });
  const { sessions } = redis;
  const here = await sessions.create("ada", { theme: "dark" });
  await sessions.create("ada", {});
  const other = await sessions.create("bob", {});
  const renewed = (await sessions.regenerate(here.id))!;
  assertEquals(await sessions.destroyAll("ada", { except: here.id }), 1);
  assertEquals((await sessions.get(renewed.id))?.data, { theme: "dark" });
  assertEquals(await sessions.get(here.id), undefined);
  assertEquals((await sessions.get(other.id))?.userId, "bob");
  const again = (await sessions.regenerate(renewed.id))!;
  assertEquals(await sessions.destroyAll("ada", { except: { handle: renewed.handle } }), 0);
  assertEquals((await sessions.get(again.id))?.userId, "ada");
  await sessions.destroy(again.id);
  await sessions.create("ada", {});
  assertEquals(await sessions.destroyAll("ada", { except: again.id }), 1, "what has ended spares none");
});
