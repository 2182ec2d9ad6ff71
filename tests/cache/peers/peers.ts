import { type Case, MemoryHarness, RedisHarness } from "../contract/harness.ts";
import { runCases } from "../../support/run_cases.ts";
import { RedisServer } from "../../support/redis_server.ts";

/** Cases by the behaviour that they look for. */
export type Cases = Readonly<Record<string, Case>>;
/** Cases that the embedded store has no use for. */
export type RedisCases = Readonly<Record<string, (harness: RedisHarness, server: RedisServer) => Promise<void>>>;

/** Runs what the suite of another library looks for on both stores, and what is about Redis there. */
export function behaviours(peer: string, cases: Cases, redisCases: RedisCases = {}): void {
  Deno.test(`What ${peer} is tested for, on the embedded store`, async (t) => {
    await runCases(t, cases, () => new MemoryHarness());
  });
  Deno.test(`What ${peer} is tested for, on Redis`, async (t) => {
    await using server = await RedisServer.start();
    await runCases(t, cases, () => new RedisHarness(server));
    for (const [name, run] of Object.entries(redisCases)) {
      await t.step(name, async () => {
        await using harness = new RedisHarness(server);
        await run(harness, server);
      });
    }
  });
}
