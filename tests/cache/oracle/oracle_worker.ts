/**
 * One process of the staleness oracle: `writer`, or `reader` with its number, as each job says. Reports what it saw
 * when it is told to stop.
 *
 * @module
 */
import { delay } from "../../../src/util/abort.ts";
import type { Cache } from "../../../src/cache/cache.ts";
import type { GetOrSetOptions, Loader } from "../../../src/cache/options.ts";
import type { Duration } from "../../../src/util/duration.ts";
import { connect } from "../../../src/connect/larder.ts";
import { jobs, report } from "../../support/jobs.ts";
import type { CrewJob } from "./crew.ts";
import { KEYS, Truth } from "./oracle_truth.ts";

/** What a process is told. */
export interface Job extends CrewJob {
  url: string;
  /** Serves values that it remembers for a while, as a cache does that nobody tells of invalidations. */
  broken: boolean;
}

/** What a process saw. */
export interface Report {
  /** Reads that were answered without a loader of their own. */
  hits: number;
  loads: number;
  /** What was older than acknowledged: key, version, oldest allowed. */
  stale: string[];
  /** Invalidations that were acknowledged, by kind. */
  invalidations: Record<string, number>;
  /** Calls that threw although they must not. */
  errors: string[];
}

export const group = (key: number): string => `group:${key % 3}`;
export const name = (key: number): string => `${key % 2 === 0 ? "even" : "odd"}:${key}`;
export const keys: number[] = Array.from({ length: KEYS }, (_, key) => key);

/** Changes sources and invalidates what depends on them, one way after the other. */
async function write(cache: Cache, truth: Truth, report: Report): Promise<void> {
  const ways = {
    key: (turn: number) => ({
      changed: [turn % KEYS],
      invalidate: () => cache.invalidate(name(turn % KEYS)),
    }),
    tag: (turn: number) => ({
      changed: keys.filter((key) => group(key) === group(turn)),
      invalidate: () => cache.invalidateByTag(group(turn)),
    }),
    pattern: (turn: number) => ({
      changed: keys.filter((key) => key % 2 === turn % 2),
      invalidate: () => cache.invalidateByPattern(`${turn % 2 === 0 ? "even" : "odd"}:*`),
    }),
    clear: () => ({ changed: keys, invalidate: () => cache.clear() }),
    // Whoever writes knows what is true now, and loaders that run do not.
    set: (turn: number, version: number) => ({
      changed: [turn % KEYS],
      invalidate: async () => ({
        status: await cache.set(name(turn % KEYS), version, { ttl: 60, tags: [group(turn % KEYS), "all"] })
          ? "done"
          : "",
      }),
    }),
  };
  for (let turn = 0; !truth.stopped; turn++) {
    for (const [kind, way] of Object.entries(ways)) {
      const { changed, invalidate } = way(turn, truth.version(turn % KEYS) + 1);
      const versions = changed.map((key) => truth.bump(key));
      // What could not be done yet is tried again: only "done" counts as acknowledged for other processes.
      while (!truth.stopped) {
        const { status } = await invalidate();
        if (status === "done") {
          changed.forEach((key, i) => truth.acknowledge(key, versions[i]!));
          report.invalidations[kind] = (report.invalidations[kind] ?? 0) + 1;
          break;
        }
        await delay(5);
      }
      await delay(Math.random() * 20);
    }
  }
}

/** Reads in one of four manners and judges what it gets. */
async function read(cache: Cache, truth: Truth, job: Job, manner: number, report: Report): Promise<void> {
  for (let turn = 1; !truth.stopped; turn++) {
    const key = Math.floor(Math.random() * KEYS);
    let loaded = false;
    const load = async () => {
      loaded = true;
      report.loads++;
      const version = truth.version(key);
      if (manner === 2) await delay(Math.random() * 40); // what it has read grows old
      else if (manner === 3) await delay(Math.random() * 5);
      return version;
    };
    const tags = [group(key), "all"];
    const floor = truth.floor(key);
    const version = await cache.getOrSet(name(key), load, {
      ttl: manner === 1 ? "100ms" : 60,
      tags: manner === 3 ? () => tags : tags,
      lease: manner === 2 ? "20ms" : "10s",
    });
    if (!loaded) truth.setHits(job.reader, ++report.hits);
    if (version < floor) report.stale.push(`${name(key)} by ${manner}: ${version} < ${floor}, loaded: ${loaded}`);
    if (turn % 20 === 0) await delay(0); // without Redis nothing else would let the others have a turn
  }
}

/** Remembers what it has read for 50 ms. */
function broken(cache: Cache): Cache {
  const remembered = new Map<string, { value: unknown; until: number }>();
  const getOrSet = async <T>(key: string, loader: Loader<T>, options?: GetOrSetOptions<T> | Duration): Promise<T> => {
    const known = remembered.get(key);
    if (known && known.until > performance.now()) return known.value as T;
    const value = await cache.getOrSet<T>(key, loader, options);
    remembered.set(key, { value, until: performance.now() + 50 });
    return value;
  };
  return { getOrSet } as unknown as Cache;
}

async function judge(job: Job): Promise<Report> {
  using truth = new Truth(job.truth);
  await using redis = await connect({ url: job.url, namespace: "oracle" });
  const seen: Report = { hits: 0, loads: 0, stale: [], invalidations: {}, errors: [] };
  const cache = job.broken ? broken(redis.cache) : redis.cache;
  const manners = job.role === "writer" ? [0] : [0, 1, 2, 3];
  await Promise.all(manners.map(async (manner) => {
    while (!truth.stopped) {
      try {
        if (job.role === "writer") await write(redis.cache, truth, seen);
        else await read(cache, truth, job, manner, seen);
      } catch (error) {
        seen.errors.push(String(error));
        await delay(5);
      }
    }
  }));
  return seen;
}

if (import.meta.main) {
  for await (const job of jobs<Job>()) report(await judge(job));
}
