import { assertEquals } from "@std/assert";
import { RedisLimitStore } from "../../src/rate_limit/redis/store.ts";
import { Batch } from "../../src/redis/batch.ts";
import { FakeClock, Outcome, ScriptedClient } from "../redis/scripted_client.ts";
import { rule } from "./stores.ts";

Deno.test("RateLimiter asks Redis again as soon as it is back, though another call found that out", async () => {
  using clock = new FakeClock();
  const client = new ScriptedClient();
  const batch = new Batch(client, { commandTimeout: 500 });
  const store = new RedisLimitStore(batch, { namespace: "shop" });
  const check = async () => {
    const step = { rule: rule({ algorithm: "exact" }), id: "ada", action: "check" as const, cost: 1 };
    const outcome = new Outcome(store.run([step]));
    await clock.settle();
    return outcome.state;
  };
  client.change({ state: "disconnected", error: new Error("refused") });
  for (let i = 0; i < 4; i++) assertEquals(await check(), "circuit-open");
  client.change({ state: "connected" });
  const first = new Outcome(batch.send("PING", []));
  await clock.settle();
  assertEquals(await check(), "circuit-open", "one call at a time finds out");
  client.writes[0]!.resolve(["PONG"]);
  await clock.settle();
  assertEquals(first.state, "PONG");
  assertEquals(await check(), "pending");
  assertEquals(client.names.length, 2);
  await Promise.all([store[Symbol.asyncDispose](), batch.close()]);
});
