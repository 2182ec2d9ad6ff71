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

Deno.test("A damaged mark of revocations, or a damaged record, holds up no other reads", async () => {
  await using server = await RedisServer.start();
  const told: string[] = [];
  await using redis = await connect<{ session: Record<string, unknown> }>({
    url: server.url,
    namespace: "ns",
    commandTimeout: "10s",
    on: ({ type }) => told.push(type),
  });
  const { sessions } = redis;
  const [alive, gone, other] = [await sessions.create("ada", {}), await sessions.create("bob", {}), "A".repeat(43)];
  const revoked = await sessions.create("eve", {});
  await sessions.destroyAll("eve");
  for (const mark of ["5", "+inf", "-inf", String(Date.now() * 1000)]) {
    await server.cli("ZADD", "{ns}:sl", mark, "n");
    // Somebody puts a record back that was revoked: it stays revoked, whatever the mark says.
    await server.cli("EVAL", COPY, 2, `{ns}:s:${alive.handle}`, `{ns}:s:${revoked.handle}`, Date.now() * 1000 - 60e6);
    const read = await Promise.all([alive.id, other, revoked.id].map((id) => sessions.get(id)));
    assertEquals(read.map((session) => session?.userId), ["ada", undefined, undefined], `the mark is ${mark}`);
  }
  // It ends within a millisecond, and is due.
  await server.cli("EVAL", FRACTION, 1, `{ns}:s:${gone.handle}`);
  const [first] = await Promise.all([alive.id, gone.id].map((id) => sessions.get(id)));
  assertEquals(first?.userId, "ada", "beside a record with a fraction");
  const broken = await sessions.create("ada", {});
  await server.cli("EVAL", NO_NUMBER, 1, `{ns}:s:${broken.handle}`);
  assertEquals(await sessions.updateAll("ada", { a: 1 }, { tags: ["new"] }), 1, "beside one that was used at no time");
  told.length = 0;
  assertEquals(await sessions.get(broken.id), undefined);
  assertEquals(told, ["session.unreadable"]);
});

/** Puts a copy of a session in a place, as one of "eve" that began at ARGV[1]. */
const COPY = `
local values = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[2], unpack(values))
local m = redis.call('HGET', KEYS[2], 'm')
redis.call('HSET', KEYS[2], 'u', 'ueve',
  'm', string.sub(m, 1, 2) .. struct.pack('>d', ARGV[1]) .. string.sub(m, 11))`;

/** Makes the idle time of a session no whole number of milliseconds, and its last use an hour ago. */
const FRACTION = `
local m = redis.call('HGET', KEYS[1], 'm')
local seen = struct.unpack('>d', m, 19)
redis.call('HSET', KEYS[1], 'm',
  string.sub(m, 1, 18) .. struct.pack('>d', seen - 3600000) .. string.sub(m, 27, 34) .. struct.pack('>d', 7200000.5) ..
  string.sub(m, 43))`;

/** Makes the last use of a session no number. */
const NO_NUMBER = `
local m = redis.call('HGET', KEYS[1], 'm')
redis.call('HSET', KEYS[1], 'm', string.sub(m, 1, 18) .. struct.pack('>d', 0 / 0) .. string.sub(m, 27))`;

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
