/**
 * One process of the oracle of hits: `writer`, or `reader` with its number, as each job says. Readers load nothing, so
 * that nothing but what they hear of invalidations keeps them from what is old. Reports what it saw when it is told to
 * stop.
 *
 * @module
 */
import { delay } from "../../../src/util/abort.ts";
import type { Cache } from "../../../src/cache/cache.ts";
import { connect } from "../../../src/connect/larder.ts";
import { fromIoredis } from "../../../src/redis/adapters/from_ioredis.ts";
import { fromNodeRedis } from "../../../src/redis/adapters/from_node_redis.ts";
import type { RedisClient } from "../../../src/redis/client.ts";
import { jobs, report } from "../../support/jobs.ts";
import type { CrewJob } from "./crew.ts";
import { KEYS, Truth } from "./oracle_truth.ts";

/** What a process is told. */
export interface HitsJob extends CrewJob {
  url: string;
  /** Over what it speaks to Redis. */
  client: HitsClient;
}

/** Larder's own client, or one of others. */
export type HitsClient = "url" | "ioredis" | "node-redis";

/** What is connected over, and what ends it. */
async function open(client: HitsClient, url: string): Promise<{ client?: RedisClient; close?: () => void }> {
  if (client === "ioredis") {
    const { Redis } = await import("ioredis");
    const redis = new Redis(url, { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false });
    return { client: fromIoredis(redis), close: () => redis.disconnect() };
  }
  if (client === "node-redis") {
    const { createClient } = await import("redis");
    const redis = createClient({
      url,
      pingInterval: 500,
      socket: { socketTimeout: 5000, reconnectStrategy: () => 50 },
    });
    redis.on("error", () => {}); // without a listener, a lost connection ends the process
    await redis.connect();
    return { client: fromNodeRedis(redis), close: () => redis.destroy() };
  }
  return {};
}

/** What a process saw. */
export interface HitsReport {
  hits: number;
  misses: number;
  /** Invalidations that were acknowledged. */
  invalidations: number;
  /** What was older than acknowledged: key, version, oldest allowed. */
  stale: string[];
}

/** How many read at a time in one process. */
const CALLERS = 16;

const keys = Array.from({ length: KEYS }, (_, key) => key);
const group = (key: number): string => `group:${key % 3}`;
const name = (key: number): string => `key:${key}`;

/** Invalidates, and only a while later stores what is true. */
async function write(cache: Cache, truth: Truth, report: HitsReport): Promise<void> {
  for (const key of keys) await cache.set(name(key), truth.version(key), { ttl: 600, tags: [group(key), "all"] });
  for (let turn = 0; !truth.stopped; turn++) {
    const changed = keys.filter((key) => turn % 7 === 6 || group(key) === group(turn));
    const versions = changed.map((key) => truth.bump(key));
    const { status } = await cache.invalidateByTag(turn % 7 === 6 ? "all" : group(turn));
    if (status !== "done") continue;
    report.invalidations++;
    changed.forEach((key, i) => truth.acknowledge(key, versions[i]!));
    await delay(5);
    const entries = changed.map((key, i) => [name(key), versions[i]!] as const);
    await Promise.all(
      entries.map(([key, version], i) => cache.set(key, version, { ttl: 600, tags: [group(changed[i]!), "all"] })),
    );
    await delay(5);
  }
}

async function read(cache: Cache, truth: Truth, job: HitsJob, report: HitsReport): Promise<void> {
  for (let turn = 1; !truth.stopped; turn++) {
    const key = Math.floor(Math.random() * KEYS);
    const floor = truth.floor(key);
    const version = await cache.get<number>(name(key));
    if (version === undefined) {
      report.misses++;
      continue;
    }
    truth.setHits(job.reader, ++report.hits);
    if (version < floor) report.stale.push(`${name(key)}: ${version} < ${floor}`);
  }
}

async function judge(job: HitsJob): Promise<HitsReport> {
  using truth = new Truth(job.truth);
  const { client, close } = await open(job.client, job.url);
  const redis = await connect({ ...(client ? { client } : { url: job.url }), namespace: "hits", commandTimeout: "5s" });
  const seen: HitsReport = { hits: 0, misses: 0, invalidations: 0, stale: [] };
  if (job.role === "writer") await write(redis.cache, truth, seen);
  else await Promise.all(Array.from({ length: CALLERS }, () => read(redis.cache, truth, job, seen)));
  await redis.close();
  close?.();
  seen.stale.splice(1000);
  return seen;
}

if (import.meta.main) {
  for await (const job of jobs<HitsJob>()) report(await judge(job));
}
