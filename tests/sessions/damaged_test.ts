import { assert, assertEquals } from "@std/assert";
import { connect, type LarderEvent } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

/** What may have become of a value: none of it is what Larder writes there. */
const DAMAGES: Record<string, string> = {
  "nothing": "",
  "something else": "junk",
  "the value of another field": "ueve",
  "a control character": "\x00",
};

Deno.test("A damaged record of a session is told, and is never a visitor, nor a session without what was damaged", async () => {
  await using server = await RedisServer.start();
  const events: LarderEvent[] = [];
  await using redis = await connect<{ session: Record<string, unknown> }>({
    url: server.url,
    namespace: "ns",
    commandTimeout: "10s",
    on: (event) => events.push(event),
  });
  const { sessions } = redis;
  for (const field of ["m", "u", "t", "s", "dbasket"]) {
    for (const [what, value] of Object.entries(DAMAGES)) {
      if (field === "u" && value === "ueve") continue; // that is a user, forged
      const { id, handle } = await sessions.create("ada", { basket: ["tea"], theme: "dark" }, { tags: ["org"] });
      await server.cli("HSET", `{ns}:s:${handle}`, field, value);
      events.length = 0;
      const seen = [
        await sessions.get(id),
        await sessions.update(id, { theme: "light" }),
        await sessions.update(id, () => ({ theme: "light" })),
        await sessions.get(id),
        await sessions.regenerate(id, { data: { theme: "blue" } }),
      ];
      for (const session of seen) {
        if (!session) continue;
        assertEquals(
          [session.userId, session.tags, session.data.basket],
          ["ada", ["org"], ["tea"]],
          `${field} is ${what}`,
        );
      }
      assertEquals(seen.at(-1), undefined, `${field} is ${what}`);
      const told = events.filter(({ type }) => type === "session.unreadable");
      assert(told.length > 0, `${field} is ${what}: it is told`);
      assert(!JSON.stringify(events).includes(id), "no token is told");
      await sessions.destroy(id);
      assertEquals(await server.cli("EXISTS", `{ns}:s:${handle}`), 0, `${field} is ${what}: it can be ended`);
      await sessions.destroyAll("ada");
    }
  }
});

Deno.test("A login takes the place of a damaged session", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: "ns", commandTimeout: "10s", on: () => {} });
  const login = redis.sessions.withSession(async (_request, session) => {
    await session.regenerate({ userId: "ada" });
    return new Response((await session.get())?.userId);
  });
  for (const field of ["m", "u", "s", "dbasket"]) {
    const { id, handle } = await redis.sessions.create(null, { basket: ["tea"] });
    await server.cli("HSET", `{ns}:s:${handle}`, field, "junk");
    const request = new Request("http://localhost/", { headers: { cookie: `__Host-session=${id}` } });
    const response = await login(request);
    assertEquals([response.status, await response.text()], [200, "ada"], field);
    assert(response.headers.has("set-cookie"), field);
  }
});
