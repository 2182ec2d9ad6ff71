// deno-lint-ignore-file no-console -- how much was judged is part of the result
import { assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { delay } from "../../../src/util/abort.ts";
import { sized } from "../../support/effort.ts";
import { RedisServer } from "../../support/redis_server.ts";
import type { HitsClient, HitsJob, HitsReport } from "./hits_oracle_worker.ts";
import { READERS, Truth } from "./oracle_truth.ts";

/** Hits that are judged at least. */
const HITS: Record<HitsClient, number> = {
  url: 20_000,
  ioredis: sized(5_000, 50_000),
  "node-redis": sized(5_000, 50_000),
};

/** Runs one process of the oracle until it is told to stop. */
async function run(job: HitsJob): Promise<HitsReport> {
  const root = new URL("../../../", import.meta.url).pathname;
  const standIn = import.meta.resolve("@db/redis").startsWith("file:");
  const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-lock", "--no-check", "--allow-all", "--config", `${root}deno.json`],
      ...(standIn ? ["--import-map", `${root}tests/offline/import_map.json`] : []),
      `${root}tests/cache/oracle/hits_oracle_worker.ts`,
      JSON.stringify(job),
    ],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`The ${job.role} ended with code ${code}: ${text.decode(stderr)}`);
  return JSON.parse(text.decode(stdout));
}

// A cache that skipped what it had not heard of yet was found by more than 100 stale hits here.
for (const client of ["url", "ioredis", "node-redis"] as const) {
  const over = client === "url" ? "" : `, over ${client}`;
  Deno.test({
    name: `Processes that only hit serve nothing older than the last acknowledged invalidation of another${over}`,
    ignore: !RedisServer.controllable,
    fn: () => judge(client),
  });
}

async function judge(client: HitsClient): Promise<void> {
  await using server = await RedisServer.start();
  using truth = Truth.create();
  const jobs = ["writer", ...Array<"reader">(READERS).fill("reader")].map((role, i): HitsJob => ({
    role: role as HitsJob["role"],
    reader: i - 1,
    url: server.url,
    truth: truth.path,
    client,
  }));
  const running = Promise.all(jobs.map(run));
  running.catch(() => truth.stop());
  try {
    while (truth.hits < HITS[client] && !truth.stopped) await delay(5);
  } finally {
    truth.stop();
    await running.catch(() => {});
    Deno.removeSync(truth.path);
  }
  const reports = await running;
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
