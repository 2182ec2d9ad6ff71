import { assert, assertEquals, assertGreater } from "@std/assert";
import { connect } from "../../mod.ts";
import { openRedis, rule } from "./stores.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test("RateLimiter takes all steps of one tick in one call", async (t) => {
  await using server = await RedisServer.start();
  await using redis = await connect({ url: server.url, rateLimit: { timeout: "10s" } });
  const { rateLimit } = redis;
  await rateLimit.check("AUTH", "warm");
  const callsOf = async (work: () => Promise<unknown>) => {
    await server.cli("CONFIG", "RESETSTAT");
    await work();
    const stats = String(await server.cli("INFO", "commandstats"));
    const of = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
    return { scripts: of("evalsha") + of("eval"), writes: of("psetex") + of("set") + of("setrange") };
  };
  await t.step("one hot key: 1,000 checks, exactly the limit passes, one write", async () => {
    let passed = 0;
    const calls = await callsOf(async () => {
      const results = await Promise.all(Array.from({ length: 1000 }, () => rateLimit.check("DEFAULT", "hot")));
      passed = results.filter(({ allowed }) => allowed).length;
    });
    assertEquals({ passed, ...calls }, { passed: 100, scripts: 1, writes: 1 });
  });
  await t.step("any mix of names, ids and operations", async () => {
    const calls = await callsOf(() =>
      Promise.all([
        rateLimit.check("AUTH", "a"),
        rateLimit.check("API", "a", { cost: 3 }),
        rateLimit.peek("STATIC", "b"),
        rateLimit.checkAll([["API", "c"], ["DEFAULT", "c"]]),
        rateLimit.penalize("API", "d", 5),
        rateLimit.reset("API", "e"),
        rateLimit.reserve("AUTH", "f"),
      ])
    );
    assertEquals(calls.scripts, 1);
  });
  await t.step("decided one after the other, in the order asked", async () => {
    const [first, , second, reset, third] = await Promise.all([
      rateLimit.check("AUTH", "order", { cost: 4 }),
      rateLimit.penalize("AUTH", "order", 1),
      rateLimit.check("AUTH", "order"),
      rateLimit.reset("AUTH", "order"),
      rateLimit.check("AUTH", "order"),
    ]);
    assertEquals([first.allowed, second.allowed, reset, third.allowed, third.remaining], [true, false, true, true, 4]);
    assertEquals((await rateLimit.check("AUTH", "order")).source, "redis", "the refusal is forgotten");
  });
  await t.step("more than fits into one call", async () => {
    let passed = 0;
    const calls = await callsOf(async () => {
      const ids = Array.from({ length: 5000 }, (_, i) => `many-${i % 50}`);
      const results = await Promise.all(ids.map((id) => rateLimit.check("DEFAULT", id)));
      passed = results.filter(({ allowed }) => allowed).length;
    });
    assertEquals(passed, 5000);
    // A call or two may still be of those before, where the machine is busy.
    assert(calls.scripts >= 5 && calls.scripts <= 8, `${calls.scripts} calls of up to 1,000 steps`);
  });
  await t.step("more names than fit into one call", async () => {
    const limits = Array.from({ length: 600 }, (_, i) => `L${i}`);
    for (const name of limits) rateLimit.define(name, { limit: 2, window: "1m" });
    const check = rateLimit.check.bind(rateLimit) as (name: string, id: string) => ReturnType<typeof rateLimit.check>;
    const calls = await callsOf(async () => {
      const results = await Promise.all(limits.flatMap((name) => [1, 2, 3].map(() => check(name, "a"))));
      assertEquals(results.filter(({ allowed }) => allowed).length, 1200);
    });
    assertGreater(calls.scripts, 2);
  });
});

Deno.test("RedisLimitStore with several buckets keeps what belongs together in one slot", async (t) => {
  await using server = await RedisServer.start();
  await using opened = await openRedis(server, { buckets: 16 });
  const { store } = opened;
  const five = rule({ algorithm: "exact", name: "FIVE", limit: 5, window: 60_000 });
  const check = (id: string) => ({ rule: five, id, action: "check" as const, cost: 1 });
  await t.step("each identity has its limit", async () => {
    const ids = Array.from({ length: 200 }, (_, i) => `id-${i % 20}`);
    const standings = await Promise.all(ids.map((id) => store.run([check(id)])));
    assertEquals(standings.filter(([standing]) => standing!.allowed).length, 100);
    const keys = (await server.cli("KEYS", "*:FIVE:*")) as string[];
    const tags = new Set(keys.map((key) => /^\{([^}]+)\}/.exec(key)![1]));
    assertGreater(tags.size, 5);
  });
  await t.step("identities in different slots are all or nothing, too", async () => {
    const ids = Array.from({ length: 8 }, (_, i) => `apart-${i}`);
    for (let i = 0; i < 3; i++) await store.run([check("apart-3")]);
    const standings: boolean[] = [];
    for (let i = 0; i < 4; i++) standings.push((await store.run(ids.map(check))).every(({ allowed }) => allowed));
    assertEquals(standings, [true, true, false, false]);
    for (const id of ids) {
      const [standing] = await store.run([{ ...check(id), action: "peek" }]);
      assertEquals(standing!.remaining, id === "apart-3" ? 0 : 3, id);
    }
  });
});
