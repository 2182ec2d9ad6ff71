import { createHash } from "node:crypto";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { connect } from "../../src/connect/larder.ts";
import type { RedisClient } from "../../src/redis/client.ts";
import type { Sessions } from "../../src/sessions/sessions.ts";
import { runDeno } from "../examples/child.ts";
import { RedisServer } from "../support/redis_server.ts";
import { HeldClient } from "./held_client.ts";
import { RedisSessionHarness } from "./harness.ts";

/** Notes how many commands each write has. */
function counted(writes: number[]): (client: RedisClient) => RedisClient {
  return (client) => {
    const pipeline = client.pipeline.bind(client);
    client.pipeline = (commands) => {
      writes.push(commands.length);
      return pipeline(commands);
    };
    return client;
  };
}

/** Has the server learn all scripts. */
async function teach(sessions: Sessions): Promise<void> {
  const { id } = await sessions.create("teacher", {});
  await Promise.all([sessions.get(id), sessions.update(id, { a: 1 }), sessions.list("teacher")]);
  const renewed = await sessions.regenerate(id);
  await sessions.destroy(renewed!.id);
  await sessions.destroyAll("teacher");
}

Deno.test("Sessions: each operation is one round trip, and those of a tick share it", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisSessionHarness(server);
  const writes: number[] = [];
  const sessions = await harness.openOn(counted(writes), { maxPerUser: 50 });
  const create = () => sessions.create("ada", { a: 1, b: 2 }, { tags: ["t", "u"] });
  const [a, b, c, d, e] = [await create(), await create(), await create(), await create(), await create()];
  const operations = {
    create,
    get: () => sessions.get(a.id),
    peek: () => sessions.get(a.id, { roll: false }),
    touch: () => sessions.touch(a.id),
    update: () => sessions.update(a.id, { a: 2, b: undefined, c: 3 }),
    updateOfVersion: () => sessions.update(c.id, { a: 2 }, { ifVersion: 1 }),
    regenerate: () => sessions.regenerate(b.id, { data: { a: 3 } }),
    login: () => sessions.regenerate(c.id, { userId: "bob" }),
    destroy: () => sessions.destroy(d.id),
    destroyByHandle: () => sessions.destroy({ handle: e.handle }),
    list: () => sessions.list("ada"),
    destroyByTag: () => sessions.destroyByTag("u"),
    destroyAll: () => sessions.destroyAll("ada"),
  };
  await teach(await harness.open());
  await sessions.get(a.id); // a script finds out that the revocations of above were about others
  for (const [name, run] of Object.entries(operations)) {
    writes.length = 0;
    const result = await run();
    // A read is the record, the newest revocation and the time; all else is one script.
    assertEquals([name, writes], [name, [name === "get" || name === "peek" ? 3 : 1]]);
    assert(result !== undefined && result !== false, name);
  }

  const some = await Promise.all([create(), create(), create(), create()]);
  writes.length = 0;
  const all = await Promise.all([
    create(),
    sessions.get(some[0]!.id),
    sessions.get(some[1]!.id),
    sessions.touch(some[2]!.id),
    sessions.update(some[0]!.id, { a: 9 }),
    sessions.regenerate(some[3]!.id),
    sessions.list("ada"),
    sessions.destroy(some[2]!.id),
  ]);
  assertEquals(writes, [10], "two reads are two records, the newest revocation and the time; the rest is one each");
  assertEquals(all[1]?.data.a, 9, "reads see what was changed in the same tick");
});

Deno.test("Sessions: what is no token or no name costs no round trip", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisSessionHarness(server);
  const writes: number[] = [];
  const sessions = await harness.openOn(counted(writes));
  const { id, handle } = await sessions.create("ada", {});
  writes.length = 0;
  const last = id.at(-1)!;
  // 32 bytes leave two bits of the last character unused: it cannot be any.
  const unused = String.fromCharCode(last.charCodeAt(0) + 1);
  for (
    const wrong of [
      handle,
      id.slice(1),
      `${id}=`,
      `${id.slice(0, -1)}${unused}`,
      `0.${id}`,
      "",
      "\0",
      "x".repeat(65_536),
    ]
  ) {
    await Promise.all([
      sessions.get(wrong),
      sessions.touch(wrong),
      sessions.update(wrong, { a: 1 }),
      sessions.update(wrong, () => ({ a: 1 })),
      sessions.destroy(wrong),
      sessions.destroy({ handle: `${wrong}x` }),
      sessions.regenerate(wrong, { userId: "eve" }),
    ]);
  }
  await Promise.allSettled([sessions.list(""), sessions.destroyAll("\n"), sessions.create("ada", null!)]);
  assertEquals(writes, []);
});

Deno.test("Sessions: what is in Redis is a hash with a field for each key of the data, and indexes by expiry", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisSessionHarness(server);
  const sessions = await harness.open({ ttl: "1h" });
  const one = await sessions.create("ada", { theme: "dark", "a b": 1 }, { tags: ["org:7"] });
  const base = `{${harness.namespace}}:s`;
  const key = `${base}:${one.handle}`;
  assertEquals(one.handle, createHash("sha256").update(one.id).digest("hex"));
  assertEquals((await harness.keys()).sort(), [key, `${base}l`, `${base}t:org:7`, `${base}u:ada`].sort());
  const fields = async () => (await server.cli("HKEYS", key) as string[]).sort();
  assertEquals(await fields(), ["da b", "dtheme", "m", "s", "t", "u"]);
  await sessions.update(one.id, { theme: undefined, more: true });
  assertEquals(await fields(), ["da b", "dmore", "m", "s", "t", "u"]);
  for (const index of [`${base}u:ada`, `${base}t:org:7`]) {
    assertEquals(await server.cli("ZRANGE", index, 0, -1, "WITHSCORES"), [one.handle, String(one.expiresAt)]);
    const ends = await server.cli("PEXPIRETIME", index);
    assertEquals([ends, await server.cli("PEXPIRETIME", key)], [one.expiresAt, one.expiresAt]);
  }
  // Each login trims what has ended.
  for (let i = 0; i < 20; i++) {
    await sessions.create("ada", {}, { ttl: "1ms" });
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  assert(Number(await server.cli("ZCARD", `${base}u:ada`)) <= 2);
});

Deno.test("Sessions: a signal ends the wait wherever the call is, and what was sent takes effect", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisSessionHarness(server);
  let held: HeldClient | undefined;
  const late = await harness.openOn((client) => held = new HeldClient(client));
  const sessions = await harness.open();
  await teach(sessions);
  const { id } = await sessions.create("ada", { a: 1 }, { tags: ["t"] });
  const cancelled: ((signal: AbortSignal) => Promise<unknown>)[] = [
    (signal) => late.create("ada", {}, { signal }),
    (signal) => late.get(id, { signal }),
    (signal) => late.touch(id, { signal }),
    (signal) => late.list("ada", { signal }),
    (signal) => late.update(id, () => ({ a: 3 }), { signal }),
    (signal) => late.update(id, { a: 2 }, { signal }),
    (signal) => late.destroyByTag("other", { signal }),
    (signal) => late.regenerate(id, { signal }),
    (signal) => late.destroy(id, { signal }),
    (signal) => late.destroyAll("ada", { signal }),
  ];
  for (const run of cancelled) {
    const waiting = held!.hold();
    const controller = new AbortController();
    const call = run(controller.signal);
    await waiting;
    controller.abort(new Error("enough"));
    await assertRejects(() => call, Error, "enough");
    held!.release();
    await late.list("nobody"); // what was held has been answered then
  }
  assertEquals(await sessions.get(id), undefined);
  assertEquals(await sessions.list("ada"), []);
});

Deno.test("Sessions: calls that are under way when it is closed end with UnavailableError", async () => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, namespace: `test-${crypto.randomUUID()}` });
  const { sessions } = redis;
  const { id } = await sessions.create("ada", { a: 1 });
  const calls = [
    sessions.get(id),
    sessions.touch(id),
    sessions.update(id, { a: 2 }),
    sessions.update(id, () => ({ a: 3 })),
    sessions.create("bob", {}),
    sessions.list("ada"),
    sessions.regenerate(id),
    sessions.destroyAll("ada"),
  ];
  const outcomes = Promise.allSettled(calls);
  await redis.close();
  for (const outcome of await outcomes) {
    if (outcome.status === "rejected") assert(outcome.reason instanceof UnavailableError, `${outcome.reason}`);
  }
  const error = await assertRejects(() => sessions.create("ada", {}), UnavailableError);
  assertEquals(error.reason, "closed");
});

Deno.test("Sessions on the embedded store say once that they end with the process, unless it was chosen", async () => {
  const app = (options: string) => `
    import { connect } from "@larder/larder";
    const events = [];
    for (let i = 0; i < 2; i++) {
      await using redis = await connect(${options});
      await redis.sessions.get("x");
      console.log("before", i);
      for (let j = 0; j < 2; j++) await redis.sessions.create("ada", {});
    }
    console.log(JSON.stringify(events));`;
  const text = "Sessions live in this process only: they end with it";
  const run = (options: string) => runDeno(["run", "--no-prompt", "--allow-env", "-"], { input: app(options) });
  const plain = await run("{}");
  assertEquals(plain.errors.split(text).length - 1, 1, plain.errors);
  const told = await run("{ on: (event) => event.type === 'warning' && events.push(event.message) }");
  assertEquals(told.errors.split(text).length - 1, 0, told.errors);
  assertStringIncludes(told.output, `"${text}"`);
  assertEquals(told.output.split(text).length - 1, 1);
  const chosen = await run('{ url: "memory:" }');
  assertEquals([chosen.errors.includes(text), chosen.output], [false, "before 0\nbefore 1\n[]\n"]);
});
