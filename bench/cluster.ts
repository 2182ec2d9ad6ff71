/**
 * What a cluster can do: `deno task scaling` starts three primaries on loopback and prints, by the processor time that
 * the servers used, how many calls a second one node can answer, and what the invalidation of a tag costs by the number
 * of buckets. It takes about 30 seconds.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import type { Larder } from "../mod.ts";
import { openOnCluster } from "../tests/support/open_on_cluster.ts";
import { RedisCluster } from "../tests/support/redis_cluster.ts";
import { until } from "../tests/support/until.ts";

const MILLISECONDS = 3000;
const CALLERS = 64;
const BUCKETS = 16;
const KEYS = 2000;
const INVALIDATIONS = 200;

/** Processor time that the nodes have used, in microseconds. */
async function processorTime(cluster: RedisCluster): Promise<number> {
  const infos = await cluster.each("INFO", "cpu");
  const seconds = infos.map((info) =>
    ["used_cpu_user", "used_cpu_sys"].reduce(
      (sum, name) => sum + Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(String(info))![1]),
      0,
    )
  );
  return seconds.reduce((sum, one) => sum + one, 0) * 1e6;
}

/** What the nodes use while nobody asks them, in microseconds a second. */
async function idleTime(cluster: RedisCluster): Promise<number> {
  const before = await processorTime(cluster);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  return (await processorTime(cluster) - before) / 2;
}

/** Has so many callers call for a while. */
async function load(cluster: RedisCluster, idle: number, call: (i: number) => Promise<unknown>): Promise<string[]> {
  let calls = 0;
  const before = await processorTime(cluster);
  const began = performance.now();
  await Promise.all(Array.from({ length: CALLERS }, async () => {
    while (performance.now() - began < MILLISECONDS) await call(calls++);
  }));
  const seconds = (performance.now() - began) / 1000;
  const each = (await processorTime(cluster) - before - idle * seconds) / calls;
  return [thousands(calls / seconds), each.toFixed(1), thousands(1e6 / each)];
}

const thousands = (count: number) => `${Math.round(count / 1000)},000`;

async function opened(cluster: RedisCluster, buckets: number): Promise<{ redis: Larder } & AsyncDisposable> {
  const one = await openOnCluster(cluster, { namespace: `b${buckets}`, buckets, on: () => {} });
  await one.redis.ready({ timeout: "20s" });
  return one;
}

async function throughput(cluster: RedisCluster): Promise<string[][]> {
  await using one = await opened(cluster, BUCKETS);
  const { cache, sessions, rateLimit } = one.redis;
  const entry = { id: 1, name: "x".repeat(200) };
  await cache.setMany(Array.from({ length: KEYS }, (_, i) => [`key:${i}`, entry] as const), { ttl: "1h", tags: ["t"] });
  const ids: string[] = [];
  for (let i = 0; i < 200; i++) ids.push((await sessions.create(`user:${i}`, { theme: "dark" })).id);
  const limits = rateLimit.define("MANY", { limit: 1_000_000, window: "1h" });
  await until(async () => await cache.get("key:0") !== undefined, "entries are there");
  const idle = await idleTime(cluster);
  return [
    ["`cache.get()`, a hit", ...await load(cluster, idle, (i) => cache.get(`key:${i % KEYS}`))],
    [
      "`cache.set()`, one tag",
      ...await load(cluster, idle, (i) => cache.set(`key:${i % KEYS}`, entry, { tags: ["t"] })),
    ],
    ["`sessions.get()`", ...await load(cluster, idle, (i) => sessions.get(ids[i % ids.length]!))],
    ["`rateLimit.check()`", ...await load(cluster, idle, (i) => limits.check("MANY", `user:${i % KEYS}`))],
  ];
}

async function invalidation(cluster: RedisCluster, buckets: number): Promise<string[]> {
  await using one = await opened(cluster, buckets);
  const { cache } = one.redis;
  await cache.setMany(Array.from({ length: 200 }, (_, i) => [`key:${i}`, i] as const), { tags: ["t"] });
  const idle = await idleTime(cluster);
  const before = await processorTime(cluster);
  const began = performance.now();
  const took: number[] = [];
  for (let i = 0; i < INVALIDATIONS; i++) {
    const start = performance.now();
    await cache.invalidateByTag("t");
    took.push(performance.now() - start);
  }
  const spent = await processorTime(cluster) - before - idle * (performance.now() - began) / 1000;
  took.sort((a, b) => a - b);
  return [`${buckets}`, took[INVALIDATIONS / 2]!.toFixed(1), (spent / INVALIDATIONS).toFixed(0)];
}

function print(rows: readonly (readonly string[])[]): void {
  const [head, ...rest] = rows;
  for (const row of [head!, head!.map(() => "---"), ...rest]) console.log(`| ${row.join(" | ")} |`);
  console.log();
}

await using cluster = await RedisCluster.start(3);
print([
  ["call", "a second, one process", "µs of a server each", "a second and node, at most"],
  ...await throughput(cluster),
]);
const rows: string[][] = [];
for (const buckets of [1, 4, 16, 64]) rows.push(await invalidation(cluster, buckets));
print([["buckets", "ms, median", "µs of the servers"], ...rows]);
