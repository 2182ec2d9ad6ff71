import { assert, assertEquals } from "@std/assert";
import { delay } from "../../src/util/abort.ts";
import type { Session } from "../../src/sessions/session.ts";
import { commandCounts } from "../support/open_cache.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { RedisSessionHarness } from "./harness.ts";

Deno.test("Sessions end by the clock of Redis", async (t) => {
  await using server = await RedisServer.start();

  await t.step("after their idle time, which use prolongs", async () => {
    await using harness = new RedisSessionHarness(server);
    const sessions = await harness.open({ ttl: "900ms", touchEvery: "50ms" });
    /** Uses a session for a while; `false` where the machine was too busy to use it often enough. */
    const use = async (id: string): Promise<boolean> => {
      const start = performance.now();
      for (let last = start, now = start; now - start < 1500; last = now, now = performance.now()) {
        if (!await sessions.get(id)) {
          assert(performance.now() - last > 800, "it is in use");
          return false;
        }
        await delay(60);
      }
      return true;
    };
    let [used, idle] = [await sessions.create("ada", {}), await sessions.create("ada", {})];
    while (!await use(used.id)) [used, idle] = [await sessions.create("ada", {}), await sessions.create("ada", {})];
    assertEquals(await sessions.get(idle.id), undefined);
    await until(async () => await sessions.get(used.id, { roll: false }) === undefined, "it is idle for too long");
  });

  await t.step("at their absolute end, however they are used", async () => {
    await using harness = new RedisSessionHarness(server);
    const sessions = await harness.open({ ttl: "400ms", absoluteTtl: "900ms", touchEvery: 0 });
    const { id, createdAt } = await sessions.create("ada", {});
    let last = 0;
    let gap = 0; // between two looks, longer than the idle time where the machine is busy
    let looked = performance.now();
    for (let session = await sessions.get(id); session; session = await sessions.get(id)) {
      last = session.lastSeenAt;
      gap = Math.max(gap, performance.now() - looked);
      looked = performance.now();
      assert(last - createdAt < 2000, "it does not end");
      assert(session.expiresAt <= createdAt + 900);
      await delay(20);
    }
    gap = Math.max(gap, performance.now() - looked);
    assert(last - createdAt <= 900, `it was last seen after ${last - createdAt} ms`);
    assert(
      last - createdAt > 600 || gap > 250,
      `it was last seen after ${last - createdAt} ms, though used every ${gap} ms`,
    );
  });

  await t.step("and when all have ended no key is left", async () => {
    await using harness = new RedisSessionHarness(server, { buckets: 3 });
    const sessions = await harness.open({ ttl: "4s", touchEvery: 0, maxPerUser: 3 });
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => sessions.create(`user${i % 4}`, { i }, { tags: [`t${i % 3}`, "all"] })),
    );
    for (let i = 0; i < 10; i++) {
      await Promise.all(all.map(({ id }, n) => n % 2 ? sessions.update(id, { n: i }) : sessions.get(id)));
      await delay(20);
    }
    await sessions.regenerate(all[19]!.id);
    await sessions.destroy(all[18]!.id);
    assert((await harness.keys()).length > 10);
    for (const key of await harness.keys()) {
      const left = await server.cli("PTTL", key) as number;
      assert(left > 0 && left <= 4000, `${key} has ${left} ms left`);
      if (!key.includes(":s:")) continue;
      // What is known of revocations outlives those whom they may concern.
      const ledger = await server.cli("PTTL", key.replace(/:s:.*/, ":sl")) as number;
      assert(ledger >= left - 50, `the ledger has ${ledger} ms left, ${key} has ${left}`);
    }
    await until(async () => (await harness.keys()).length === 0, "no key is left");
  });

  await t.step("also beside one without an end that was ended", async () => {
    await using harness = new RedisSessionHarness(server);
    const sessions = await harness.open({ ttl: "400ms" });
    const endings: ((one: Session) => Promise<unknown>)[] = [
      (one) => sessions.destroy(one.id),
      async (one) => {
        const kept = await sessions.create("ada", {}, { tags: ["t"] });
        await sessions.destroyAll("ada", { except: kept });
        assertEquals(await sessions.get(one.id), undefined);
      },
      (one) => sessions.regenerate(one.id, { userId: "bob" }).then((renewed) => sessions.destroy(renewed!.id)),
    ];
    for (const end of endings) {
      const one = await sessions.create("ada", {}, { ttl: 0, absoluteTtl: 0, tags: ["t"] });
      await sessions.create("ada", {}, { tags: ["t"] });
      await end(one);
      for (const key of await harness.keys()) {
        if (key.endsWith("sl")) continue; // the ledger: one key, which stays where there was a session without an end
        const left = await server.cli("PTTL", key) as number;
        assert(left === -2 || left > 0 && left <= 400, `${key} has ${left} ms left`); // -2: it has just gone
      }
    }
    await until(async () => (await harness.keys()).every((key) => key.endsWith("sl")), "no key is left");
  });

  await t.step("and not much later when the clock was set back", async () => {
    await using harness = new RedisSessionHarness(server);
    const sessions = await harness.open({ ttl: "1h" });
    const { id } = await sessions.create("ada", { a: 1 }, { tags: ["t"] });
    await harness.advance(-10 * 3_600_000);
    const now = Date.now();
    const { data, lastSeenAt, expiresAt, touched } = (await sessions.get(id))!;
    assertEquals([data, touched, expiresAt - lastSeenAt], [{ a: 1 }, true, 3_600_000]);
    assert(Math.abs(lastSeenAt - now) < 60_000, `it was seen at ${lastSeenAt}, it is ${now}`);
    const key = (await harness.keys()).find((name) => name.includes(":s:"))!;
    assert(Number(await server.cli("PTTL", key)) <= 3_600_000);
    assertEquals((await sessions.get(id))?.touched, false);
    assertEquals((await sessions.list("ada")).length, 1);
    assertEquals(await sessions.destroyAll("ada"), 1);
  });

  await t.step("what was revoked is remembered for a while, and not for ever", async () => {
    await using harness = new RedisSessionHarness(server);
    const sessions = await harness.open({ ttl: "1s" });
    await sessions.create("ada", {});
    await sessions.destroyAll("ada");
    const [key, ...others] = await harness.keys();
    assertEquals(others, []);
    const left = await server.cli("PTTL", key!) as number;
    assert(left > 1000 && left <= 60_000, `the ledger has ${left} ms left`);
  });
});

Deno.test({
  name: "Sessions.get() writes at most once per touchEvery, and is one round trip",
  ignore: !RedisServer.controllable,
  fn: async () => {
    await using server = await RedisServer.start();
    await using harness = new RedisSessionHarness(server);
    let [writes, commandsSent] = [0, 0];
    const sessions = await harness.openOn((client) => {
      const pipeline = client.pipeline.bind(client);
      client.pipeline = (commands) => {
        writes++;
        commandsSent += commands.length;
        return pipeline(commands);
      };
      return client;
    }, { ttl: "1h", touchEvery: "400ms" });
    const { id } = await sessions.create("ada", { a: 1 }, { tags: ["t"] });
    await Promise.all([sessions.get(id), sessions.get(id), sessions.touch(id)]); // the server knows the script then
    await server.cli("CONFIG", "RESETSTAT");
    writes = commandsSent = 0;
    const start = performance.now();
    let [calls, touched] = [0, 0];
    while (performance.now() - start < 1300 || calls <= 100) {
      const reads = await Promise.all([sessions.get(id), sessions.get(id), sessions.get(id)]);
      touched += reads.filter((session) => session?.touched).length;
      assertEquals(await sessions.touch(id), true);
      calls += 2;
    }
    const { hset = 0, evalsha = 0, eval: whole = 0, zadd = 0, pexpireat = 0 } = await commandCounts(server);
    const most = Math.ceil((performance.now() - start) / 400);
    // Three reads are five commands and no script; where the session is due, a script more, in a trip of its own.
    const due = writes - calls;
    assert(due >= 0 && due <= most, `${writes} round trips of ${calls} calls`);
    assertEquals([evalsha, whole, commandsSent], [calls / 2 + due, 0, 3 * calls + due]);
    assert(calls > 100, `${calls} calls`);
    assert(hset >= 2 && hset <= most, `${hset} writes in ${most} times touchEvery`);
    assert(touched <= hset);
    // The session, the indexes of its user and its tag, the ledger.
    assert(zadd <= 3 * hset && pexpireat <= 4 * hset, `${zadd} ZADD, ${pexpireat} PEXPIREAT`);
  },
});
