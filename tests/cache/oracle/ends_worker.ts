/**
 * A process of the oracle whose loaders end in each way that there is. Prints what it saw as JSON when it is told to
 * stop.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { delay } from "../../../src/util/abort.ts";
import type { Cache } from "../../../src/cache/cache.ts";
import type { LoaderContext } from "../../../src/cache/options.ts";
import { connect } from "../../../src/connect/larder.ts";
import { FloorHistory } from "./floor_history.ts";
import { KEYS, Truth } from "./oracle_truth.ts";
import { group, name } from "./oracle_worker.ts";

/** What a process is told. */
export interface EndsJob {
  /** The number of the reader. */
  reader: number;
  url: string;
  truth: string;
  /** Whether it keeps copies. */
  local: boolean;
  /** How long a loader that died keeps others waiting. */
  lease: string;
}

/** What a process saw. */
export interface EndsReport {
  /** Reads that were answered without a loader of their own. */
  hits: number;
  /** Loaders that ran, by how they ended. */
  ends: Record<string, number>;
  /** What was older than it may be. */
  stale: string[];
  /** Calls that threw something else than their loader did. */
  errors: string[];
  /** The longest that a caller waited, in milliseconds. */
  longest: number;
}

let loads = 0;
/** How far behind a copy may be, in milliseconds. */
const BEHIND = 1000;
/** How loaders end, in turn: few are late, so that there is something to read. */
const ENDS = "value,null,not modified,throws,absent,value,skip,late,value,null,not modified,throws,value,absent".split(
  ",",
);
const OPTIONS = { ttl: "200ms", staleWhileRevalidate: "1s", staleIfError: "5s", tags: ["all"] } as const;

async function read(
  cache: Cache,
  truth: Truth,
  job: EndsJob,
  history: FloorHistory,
  report: EndsReport,
): Promise<void> {
  for (let turn = 1; !truth.stopped; turn++) {
    const key = Math.floor(Math.random() * KEYS);
    let loaded = false;
    const load = async (context: LoaderContext<number | null>) => {
      loaded = true;
      const version = truth.version(key);
      const end = ENDS[loads++ % ENDS.length]!;
      report.ends[end] = (report.ends[end] ?? 0) + 1;
      await delay(Math.random() * (end === "late" ? 1500 : 30)); // what it has read grows old
      if (end === "throws") throw new Error("the source is away");
      if (end === "null") return null;
      if (end === "absent") return undefined as unknown as null;
      if (end === "skip") return context.skip(version);
      return end === "not modified" && context.stale === version ? context.notModified() : version;
    };
    const tags = [group(key), "all"];
    const options = { ...OPTIONS, lease: job.lease, tags: turn % 2 === 0 ? tags : () => tags };
    const floor = history.look(key);
    const asked = performance.now();
    let found: number | null | undefined;
    try {
      const one = name(key);
      found = turn % 5 === 0
        ? (await cache.getOrSetMany<number | null>([one], async () => {
          const version = truth.version(key);
          loaded = true;
          await delay(Math.random() * 30);
          return new Map(Math.random() < 0.3 ? [] : [[one, version]]);
        }, options)).get(one)
        : await cache.getOrSet<number | null>(one, load, options);
    } catch (error) {
      if (!String(error).includes("the source is away")) report.errors.push(String(error));
    }
    report.longest = Math.max(report.longest, performance.now() - asked);
    if (typeof found === "number") {
      if (!loaded) truth.setHits(job.reader, ++report.hits);
      if (found < floor && !(job.local && !loaded && history.behind(key, found, asked) <= BEHIND)) {
        report.stale.push(`${name(key)}: ${found} < ${floor}, loaded: ${loaded}`);
      }
    }
    if (turn % 10 === 0) await delay(0); // lets messages in
  }
}

const job: EndsJob = JSON.parse(Deno.args[0]!);
using truth = new Truth(job.truth);
await using redis = await connect({
  url: job.url,
  namespace: "oracle",
  cache: { local: job.local, retryAfter: "50ms" },
});
const report: EndsReport = { hits: 0, ends: {}, stale: [], errors: [], longest: 0 };
const history = new FloorHistory(truth);
const looking = setInterval(() => {
  for (let key = 0; key < KEYS; key++) history.look(key);
}, 5);
await Promise.all(Array.from({ length: 4 }, () => read(redis.cache, truth, job, history, report)));
clearInterval(looking);
console.log(JSON.stringify(report));
