import { assert, assertEquals, assertRejects } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { connect } from "../../src/connect/larder.ts";
import type { Sessions } from "../../src/sessions/sessions.ts";
import { RedisServer } from "../support/redis_server.ts";
import { EventLog, until } from "../support/until.ts";

const ignore = !RedisServer.controllable;

/** Each operation once, with what it is called in an error. */
function operations(sessions: Sessions, id: string): Record<string, () => Promise<unknown>> {
  return {
    "create session": () => sessions.create("ada", {}),
    "read session": () => sessions.get(id),
    "touch session": () => sessions.touch(id),
    "update session": () => sessions.update(id, { a: 2 }),
    "destroy session": () => sessions.destroy(id),
    "regenerate session": () => sessions.regenerate(id),
    "list sessions": () => sessions.list("ada"),
    "destroy sessions": () => sessions.destroyAll("ada"),
    "destroy sessions by tag": () => sessions.destroyByTag("t"),
  };
}

Deno.test({
  name: "Sessions throw UnavailableError within the deadline while Redis hangs, and go on when it is back",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start();
    const log = new EventLog();
    await using redis = await connect({ url: server.url, commandTimeout: "200ms", on: log.on });
    const { sessions } = redis;
    await using tolerant = await connect({
      url: server.url,
      commandTimeout: "200ms",
      sessions: { onUnavailable: "none" },
      on: log.on,
    });
    const { id } = await sessions.create("ada", { a: 1 }, { tags: ["t"] });
    await server.pause();
    for (const [operation, run] of Object.entries(operations(sessions, id))) {
      const start = performance.now();
      const error = await assertRejects(run, UnavailableError);
      assertEquals(error.operation, operation);
      assert(performance.now() - start < 1000, `"${operation}" took ${performance.now() - start} ms`);
      assert(!Deno.inspect(error, { depth: 9 }).includes(id));
    }
    assertEquals(await tolerant.sessions.get(id), undefined);
    assertEquals(await tolerant.sessions.touch(id), false);
    await assertRejects(() => tolerant.sessions.create("ada", {}), UnavailableError);
    await assertRejects(() => tolerant.sessions.update(id, {}), UnavailableError);
    assertEquals(log.of("session.error").map(({ operation }) => operation), ["read session", "touch session"]);
    await server.resume();
    await redis.ready({ timeout: "10s" });
    // The destructions that were given up had been sent: they may have taken effect, which is what was asked for.
    const again = await sessions.create("ada", { a: 1 });
    assertEquals((await sessions.get(again.id))?.data, { a: 1 });
    await redis.close();
    const error = await assertRejects(() => sessions.get(id), UnavailableError);
    assertEquals(error.reason, "closed");
  },
});

Deno.test({
  name: "Sessions can be read and ended while Redis is full, and get no more",
  ignore,
  fn: async () => {
    await using server = await RedisServer.start({ config: { maxmemory: "20mb", "maxmemory-policy": "noeviction" } });
    await using redis = await connect({ url: server.url, commandTimeout: "5s", sessions: { touchEvery: 0 } });
    const { sessions } = redis;
    const login = () => sessions.create("ada", { a: 1 }, { tags: ["t"] });
    const [a, b, c, d] = [await login(), await login(), await login(), await login()];
    const bob = await sessions.create("bob", { a: 1 }, { tags: ["t"] });
    await server.cli("CONFIG", "SET", "maxmemory", "1");
    const read = await sessions.get(a.id);
    assertEquals([read?.data, read?.touched], [{ a: 1 }, false]);
    const refused = [
      () => sessions.create("ada", {}),
      () => sessions.update(a.id, { a: undefined, b: "x" }),
      () => sessions.regenerate(a.id),
    ];
    for (const run of refused) {
      const error = await assertRejects(run, UnavailableError);
      assert(error.cause instanceof Error && error.cause.message.startsWith("OOM"));
    }
    assertEquals((await sessions.get(a.id))?.data, { a: 1 }, "nothing was done by half");
    assertEquals(await sessions.destroy(a.id), true);
    assertEquals(await sessions.destroyAll("ada", { except: b }), 2);
    assertEquals([await sessions.get(c.id), await sessions.get(d.id)], [undefined, undefined]);
    assert(await sessions.get(b.id));
    assertEquals(await sessions.destroyByTag("t"), 2);
    assertEquals([await sessions.get(b.id), await sessions.get(bob.id)], [undefined, undefined]);
    await server.cli("CONFIG", "SET", "maxmemory", "0");
    assert(await sessions.get((await login()).id));
  },
});

Deno.test({
  name: "Sessions are read from a replica, and scripts that the server forgot are sent again",
  ignore,
  fn: async () => {
    await using primary = await RedisServer.start({ config: { "repl-diskless-sync-delay": 0 } });
    await using server = await RedisServer.start();
    await using redis = await connect({ url: primary.url, namespace: "test" });
    const { id } = await redis.sessions.create("ada", { a: 1 });
    await server.cli("REPLICAOF", "127.0.0.1", primary.port);
    await until(async () => Number(await server.cli("DBSIZE")) > 0, "the replica has it");
    await using copy = await connect({ url: server.url, namespace: "test", sessions: { touchEvery: 0 } });
    const read = await copy.sessions.get(id);
    assertEquals([read?.data, read?.touched], [{ a: 1 }, false]);
    await assertRejects(() => copy.sessions.update(id, { a: 2 }), UnavailableError);
    await primary.cli("SCRIPT", "FLUSH");
    assertEquals((await redis.sessions.update(id, { a: 3 }))?.data, { a: 3 });
    await primary.cli("SCRIPT", "FLUSH");
    assertEquals((await redis.sessions.get(id))?.data, { a: 3 });
  },
});

Deno.test("Sessions whose record is damaged are no sessions, and hold up no others", async () => {
  await using server = await RedisServer.start();
  const log = new EventLog();
  await using redis = await connect({ url: server.url, namespace: `test-${crypto.randomUUID()}`, on: log.on });
  const { sessions } = redis;
  const login = () => sessions.create("ada", { a: 1 }, { tags: ["t"] });
  const [a, b, c, d, e, good] = [
    await login(),
    await login(),
    await login(),
    await login(),
    await login(),
    await login(),
  ];
  const keys = await server.cli("KEYS", "*") as string[];
  const damage = async ({ handle }: { handle: string }, field: string, value: string) => {
    const key = keys.find((name) => name.endsWith(handle))!;
    await server.cli("EVAL", `return redis.call('HSET', KEYS[1], '${field}', ${value})`, 1, key);
  };
  await damage(a, "m", "'x'");
  await damage(b, "s", `'s' .. cmsgpack.pack({ 'd\\0\\1a\\0{' })`);
  await damage(c, "s", `'s' .. cmsgpack.pack({ 'd\\0\\9__proto__\\0{}' })`);
  await damage(d, "s", "'s?'");
  await server.cli("SET", keys.find((name) => name.endsWith(e.handle))!, "a string");
  const read = await Promise.all([a, b, c, d, e, good].map(({ id }) => sessions.get(id)));
  assertEquals(read.map((session) => session !== undefined), [false, false, false, false, false, true]);
  assertEquals(
    log.of("session.unreadable").map(({ handle }) => handle).sort(),
    [a, b, c, d, e].map(({ handle }) => handle).sort(),
  );
  assertEquals(await sessions.update(d.id, () => ({ a: 2 })), undefined);
  assertEquals(await sessions.update(e.id, { a: 2 }), undefined);
  assertEquals(await sessions.touch(e.id), false);
  assertEquals(await sessions.regenerate(e.id), undefined);
  assertEquals((await sessions.update(d.id, { a: 2 }))?.data, { a: 2 }, "a change mends the copy");
  assert(await sessions.get(d.id));
  const f = await login();
  keys.push(...await server.cli("KEYS", `*${f.handle}`) as string[]);
  await damage(f, "v", "'v{'");
  await sessions.update(f.id, { a: 2 });
  const { device, data } = (await sessions.get(f.id))!;
  assertEquals([device, data], [undefined, { a: 2 }], "where it was begun is not worth a session");
  assertEquals((await sessions.list("ada")).filter(({ handle }) => handle === f.handle).length, 1);
  await damage(f, "t", "'t?'");
  await sessions.update(f.id, { a: 3 }).catch(() => {}); // its tags cannot be told
  assertEquals(await sessions.get(f.id), undefined);
  assert(await sessions.get(good.id), "others are not concerned");
  assert((await sessions.list("ada")).some(({ handle }) => handle === good.handle));
  await sessions.destroyAll("ada");
  await sessions.destroy(e.id);
  assertEquals(await sessions.get(good.id), undefined);
});
