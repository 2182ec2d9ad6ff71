import { assert, assertEquals, assertRejects } from "@std/assert";
import { UnavailableError } from "../../src/errors.ts";
import { Batch } from "../../src/redis/batch.ts";
import type { RedisClient, RedisReply } from "../../src/redis/client.ts";
import { RedisError } from "../../src/errors.ts";
import { plainCall } from "../../src/sessions/redis/plain_read.ts";
import type { Sessions } from "../../src/sessions/sessions.ts";
import { ScriptedClient } from "../redis/scripted_client.ts";
import { RedisServer } from "../support/redis_server.ts";
import { RedisSessionHarness } from "./harness.ts";

/** The names of the commands of each write. */
function named(writes: string[][]): (client: RedisClient) => RedisClient {
  return (client) => {
    const pipeline = client.pipeline.bind(client);
    client.pipeline = (commands) => (writes.push(commands.map(({ name }) => name)), pipeline(commands));
    return client;
  };
}

const PLAIN = ["HMGET", "ZSCORE", "TIME"];

Deno.test("Sessions.get() runs a script only where a plain read does not settle it", async (t) => {
  await using server = await RedisServer.start();
  await using harness = new RedisSessionHarness(server);
  const writes: string[][] = [];
  const sessions = await harness.openOn(named(writes), { ttl: "1h", absoluteTtl: "2h" });
  const other = await harness.open({ ttl: "1h", absoluteTtl: "2h" });
  const key = (handle: string) => `{${harness.namespace}}:s:${handle}`;
  const reading = async (id: string, options = {}) => {
    writes.length = 0;
    const session = await sessions.get(id, options);
    return [session?.userId, writes.flat().filter((name) => !PLAIN.includes(name))];
  };
  const create = () => sessions.create("ada", { a: 1 }, { tags: ["t"] });

  await t.step("one that is there is read by HMGET, ZSCORE and TIME in one write", async () => {
    const { id } = await create();
    await sessions.touch(id);
    writes.length = 0;
    const session = await sessions.get(id);
    assertEquals([session?.data, session?.touched, writes], [{ a: 1 }, false, [PLAIN]]);
  });
  await t.step("one that is due is rolled, and one that is looked at is not", async () => {
    const { id } = await create();
    await harness.advance(10 * 60_000);
    assertEquals(await reading(id, { roll: false }), ["ada", []]);
    writes.length = 0;
    assertEquals((await sessions.get(id))?.touched, true);
    assertEquals(writes.map((names) => names.length), [3, 1]);
    assertEquals(await reading(id), ["ada", []]);
  });
  await t.step("one past its end is none, although its key may still be there", async () => {
    const { id, handle } = await create();
    await server.cli("PERSIST", key(handle));
    await harness.advance(61 * 60_000);
    await server.cli("PERSIST", key(handle));
    assertEquals((await reading(id))[0], undefined);
  });
  await t.step("one that somebody else has revoked is none", async () => {
    for (const revoke of [() => other.destroyAll("ada"), () => other.destroyByTag("t")]) {
      const { id } = await create();
      await revoke();
      assertEquals((await reading(id))[0], undefined);
    }
  });
  await t.step(
    "one that is older than a revocation of others takes a script once, until there is another",
    async () => {
      const { id } = await create();
      assertEquals(await reading(id), ["ada", []]);
      for (let round = 0; round < 2; round++) {
        await other.destroyAll("bob");
        const [found, scripts] = await reading(id);
        assertEquals([found, (scripts as string[]).length], ["ada", 1]);
        assertEquals(await reading(id), ["ada", []]);
      }
      await other.destroyAll("ada");
      assertEquals((await reading(id))[0], undefined);
    },
  );
  await t.step("one whose tags change is looked up under the new ones", async () => {
    const { id } = await create();
    await other.destroyAll("bob");
    assertEquals((await reading(id))[0], "ada");
    await other.update(id, {}, { tags: ["new"] });
    await other.destroyByTag("new");
    assertEquals((await reading(id))[0], undefined);
  });
  await t.step("a record of another type, a damaged one, a foreign ledger: as with a script", async () => {
    const { id, handle } = await create();
    await server.cli("SET", key(handle), "other");
    assertEquals((await reading(id))[0], undefined);
    const damaged = await create();
    await server.cli("HSET", key(damaged.handle), "m", "short");
    assertEquals((await reading(damaged.id))[0], undefined);
    const alive = await create();
    await server.cli("DEL", key("").slice(0, -1) + "l");
    await server.cli("SET", key("").slice(0, -1) + "l", "other");
    assertEquals((await reading(alive.id))[0], "ada");
  });
});

Deno.test("Sessions.get() asks the script at once where sessions are due mostly, or the server is far away", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisSessionHarness(server);
  const writes: string[][] = [];
  const sessions = await harness.openOn(named(writes), { touchEvery: 0 });
  const { id } = await sessions.create("ada", {});
  // One is due once in a millisecond.
  const nextMillisecond = () => new Promise((resolve) => setTimeout(resolve, 1));
  for (let i = 0; i < 100; i++, await nextMillisecond()) await sessions.get(id);
  writes.length = 0;
  assertEquals((await sessions.get(id))?.userId, "ada");
  assertEquals(writes.map((names) => names.length), [1]);
  // What is looked at only need not be written: before long that goes without a script again.
  for (let i = 0; i < 100; i++) await sessions.get(id, { roll: false });
  writes.length = 0;
  await sessions.get(id, { roll: false });
  assertEquals(writes, [PLAIN]);
});

Deno.test("Sessions: what is revoked is read by nobody afterwards, while others read all the time", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisSessionHarness(server);
  const readers: Sessions[] = [await harness.open(), await harness.open()];
  const writer = await harness.open();
  let [late, read] = [0, 0];
  for (let round = 0; round < 40; round++) {
    const alive = await Promise.all(Array.from({ length: 4 }, () => writer.create("ada", {}, { tags: ["t"] })));
    let revoked = false;
    const reading = readers.flatMap((sessions) =>
      alive.map(async ({ id }) => {
        for (let i = 0; i < 6; i++) {
          const before = revoked;
          if (await sessions.get(id)) before ? late++ : read++;
        }
      })
    );
    await (round % 2 ? writer.destroyAll("ada") : writer.destroyByTag("t"));
    revoked = true;
    await Promise.all(reading);
    for (const { id } of alive) assertEquals(await readers[0]!.get(id), undefined);
  }
  assertEquals(late, 0);
  assert(read > 0);
});

Deno.test("plainCall() settles nothing by replies that are none", () => {
  const text = (value: string) => new TextEncoder().encode(value);
  const head = new Uint8Array(50);
  const view = new DataView(head.buffer);
  head.set([0x6d, 1]);
  view.setFloat64(2, 50e6); // born at 50 s; it never ends
  view.setFloat64(18, 60_000); // used at 60 s
  const row = [head, text("s")];
  const time = [text("61"), text("0")];
  const error = new RedisError("NOPERM no");
  const settled = (records: RedisReply, newest: RedisReply, clock: RedisReply, kind = "roll"): unknown => {
    let found: unknown;
    const call = plainCall([{ handle: "a", kind }], {
      base: "{n}:s",
      touchEvery: 5_000,
      operation: "read session",
      written: () => {},
      isCleared: () => false,
      answered: ([row], us) => found = [row !== undefined, us],
      failed: () => {},
    });
    call.resolve(clock, [records, newest]);
    return found;
  };
  assertEquals(settled(row, null, time), [true, 61e6]);
  assertEquals(settled(row, text("-49999999"), time), [true, 61e6]);
  assertEquals(settled(row, text("-50000000"), time), [false, 61e6]);
  assertEquals(settled(row, text("some"), time), [false, 61e6]);
  assertEquals(settled(row, error, time), [false, undefined], "another node of a cluster tells its own time");
  assertEquals(settled(row, null, error), [false, undefined]);
  assertEquals(settled(row, null, error, "peek"), [false, undefined]);
  assertEquals(settled(row, null, [text("61"), error]), [false, undefined]);
  assertEquals(settled(row, null, [text("65"), text("0")]), [false, 65e6], "due");
  assertEquals(settled(row, null, [text("65"), text("0")], "peek"), [true, 65e6]);
  assertEquals(settled(row, null, [text("59"), text("0")]), [false, 59e6], "the clock was set back");
  assertEquals(settled(row, text("5"), time), [false, 61e6], "a mark that somebody else wrote");
  assertEquals(settled(row, text("inf"), time), [false, 61e6], "a mark that somebody else wrote");
  assertEquals(settled([head, null], null, time), [false, 61e6]);
  assertEquals(settled([null, null], null, time), [false, 61e6]);
  assertEquals(settled(error, null, time), [false, 61e6]);
});

Deno.test("Batch hands errors over to a call that takes them, and counts no failure", async () => {
  const client = new ScriptedClient();
  const wrong = new RedisError("WRONGTYPE Operation against a key");
  client.answer = ({ name }) => name === "GET" ? wrong : "OK";
  const batch = new Batch(client, { commandTimeout: 1000 });
  const { promise, resolve, reject } = Promise.withResolvers<RedisReply[]>();
  batch.join({
    operation: "look",
    take: () => [{
      name: "TIME",
      args: [],
      operation: "look",
      before: [{ name: "GET", args: ["a"] }],
      takesErrors: true,
      resolve: (reply, before = []) => resolve([...before, reply]),
      reject,
    }],
    fail: reject,
  });
  assertEquals(await promise, [wrong, "OK"]);
  assertEquals(batch.diagnosis.unavailable("x", "timeout") instanceof UnavailableError, true);
  await assertRejects(() => batch.send("GET", ["a"]), RedisError, "WRONGTYPE");
  await batch.close();
});
