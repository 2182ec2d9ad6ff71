import { RedisServer } from "../support/redis_server.ts";
import { MemorySessionHarness, RedisSessionHarness, type SessionHarness } from "./harness.ts";
import { SESSION_CASES } from "./suite.ts";

async function runCases(t: Deno.TestContext, open: () => SessionHarness): Promise<void> {
  for (const [name, run] of Object.entries(SESSION_CASES)) {
    await t.step(name, async () => {
      await using harness = open();
      await run(harness);
    });
  }
}

Deno.test("Sessions on the embedded store", async (t) => {
  await runCases(t, () => new MemorySessionHarness());
});

Deno.test("Sessions on Redis", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, () => new RedisSessionHarness(server));
});

Deno.test("Sessions on Redis with several buckets", async (t) => {
  await using server = await RedisServer.start();
  await runCases(t, () => new RedisSessionHarness(server, { buckets: 12 }));
});
