// deno-lint-ignore-file no-console -- how much was judged is part of the result
import { assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { sized } from "../../support/effort.ts";
import { RedisServer } from "../../support/redis_server.ts";
import { Crew, type CrewJob } from "./crew.ts";
import type { HitsClient, HitsJob, HitsReport } from "./hits_oracle_worker.ts";

/** Hits that are judged at least. */
const HITS: Record<HitsClient, number> = {
  url: 20_000,
  ioredis: sized(5_000, 50_000),
  "node-redis": sized(5_000, 50_000),
};

// A cache that skipped what it had not heard of yet was found by more than 100 stale hits here.
Deno.test({
  name: "Processes that only hit serve nothing older than the last acknowledged invalidation of another",
  ignore: !RedisServer.controllable,
  fn: async (t) => {
    await using crew = new Crew<Omit<HitsJob, keyof CrewJob>, HitsReport>(
      import.meta.resolve("./hits_oracle_worker.ts"),
    );
    for (const client of ["url", "ioredis", "node-redis"] as const) {
      await t.step(client === "url" ? "over its own client" : `over ${client}`, async () => {
        await using server = await RedisServer.start();
        assertCoherent(
          client,
          await crew.judge(() => ({ url: server.url, client }), ({ hits }) => hits >= HITS[client]),
        );
      });
    }
    await crew.end();
  },
});

function assertCoherent(client: HitsClient, reports: readonly HitsReport[]): void {
  const sum = (of: "hits" | "misses" | "invalidations") => reports.reduce((total, report) => total + report[of], 0);
  const stale = reports.flatMap((report) => report.stale);
  console.log(
    `${stale.length} stale of ${sum("hits")} hits, ${sum("misses")} misses, ${sum("invalidations")} invalidations`,
  );
  assertEquals(stale, []);
  assertGreaterOrEqual(sum("hits"), HITS[client]);
  assertGreater(sum("misses"), 0);
  assertGreater(sum("invalidations"), 10);
}
