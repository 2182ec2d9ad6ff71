/**
 * One process of the oracle for copies: reads through a cache with copies or without, its own clock wrong, and judges
 * what it gets. Prints what it saw as JSON when it is told to stop.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { delay } from "../../../src/util/abort.ts";
import type { Cache } from "../../../src/cache/cache.ts";
import type { RedisClient } from "../../../src/redis/client.ts";
import { openCache } from "../../support/open_cache.ts";
import { FloorHistory } from "./floor_history.ts";
import { KEYS, Truth } from "./oracle_truth.ts";
import { group, keys, name, type Report } from "./oracle_worker.ts";

/** What a process is told. */
export interface LocalJob {
  role: "writer" | "reader";
  /** The number of the reader. */
  reader: number;
  port: number;
  /** Where it subscribes. */
  subscribePort: number;
  truth: string;
  /** Whether it keeps copies. */
  local: boolean;
  /** Milliseconds by which its clock is wrong. */
  skew: number;
  /** Takes every copy for good: it believes that it is in touch, and hears nothing. */
  broken: boolean;
  /** Whether keys are invalidated one by one only: nobody learns of that from the ledger. */
  quiet: boolean;
}

/** What a process saw. */
export interface LocalReport extends Report {
  /** Hits that were older than acknowledged, but no more than they may. */
  behind: number;
  /** The most that a hit was behind, in milliseconds. */
  furthest: number;
}

/** C5: how far behind a copy may be, in milliseconds. */
const BOUND = 1000;
/** How often a process looks at what is true, in milliseconds. */
const LOOK_EVERY = 5;

/** Changes sources and invalidates what depends on them, now in this way, now in that. */
async function write(cache: Cache, truth: Truth, job: LocalJob, report: LocalReport): Promise<void> {
  const ways = {
    key: (key: number) => ({ changed: [key], invalidate: () => cache.invalidate(name(key)) }),
    tag: (key: number) => ({
      changed: keys.filter((other) => group(other) === group(key)),
      invalidate: () => cache.invalidateByTag(group(key)),
    }),
    pattern: (key: number) => ({
      changed: keys.filter((other) => other % 2 === key % 2),
      invalidate: () => cache.invalidateByPattern(`${key % 2 === 0 ? "even" : "odd"}:*`),
    }),
    clear: () => ({ changed: keys, invalidate: () => cache.clear() }),
  };
  while (!truth.stopped) {
    const luck = job.quiet ? 0 : Math.random();
    const kind = luck < 0.7 ? "key" : luck < 0.85 ? "tag" : luck < 0.95 ? "pattern" : "clear";
    const { changed, invalidate } = ways[kind](Math.floor(Math.random() * KEYS));
    const versions = changed.map((key) => truth.bump(key));
    // Only "done" counts as acknowledged for other processes.
    while ((await invalidate()).status !== "done") {
      if (truth.stopped) return;
      await delay(5);
    }
    changed.forEach((key, i) => truth.acknowledge(key, versions[i]!));
    report.invalidations[kind] = (report.invalidations[kind] ?? 0) + 1;
    await delay(Math.random() * 40);
  }
}

async function read(
  cache: Cache,
  truth: Truth,
  job: LocalJob,
  manner: number,
  history: FloorHistory,
  report: LocalReport,
) {
  for (let turn = 0; !truth.stopped; turn++) {
    const key = Math.floor(Math.random() * KEYS);
    let loaded = false;
    const load = async () => {
      loaded = true;
      report.loads++;
      const version = truth.version(key);
      if (manner === 2) await delay(Math.random() * 40); // what it has read grows old
      return version;
    };
    const tags = [group(key), "all"];
    history.look(key);
    const floor = history.look(key);
    const asked = performance.now();
    const version = manner === 3
      ? (await cache.getMany<number>([name(key)])).get(name(key))
      : await cache.getOrSet(name(key), load, {
        ttl: manner === 1 ? "100ms" : 60,
        tags: manner === 1 ? () => tags : tags,
        lease: manner === 2 ? "20ms" : "10s",
      });
    if (version === undefined) {
      await delay(1);
      continue;
    }
    if (!loaded) truth.setHits(job.reader, ++report.hits);
    if (version < floor) {
      const behind = history.behind(key, version, asked);
      if (job.local && !loaded && behind <= BOUND) report.behind++;
      else report.stale.push(`${name(key)} by ${manner}: ${version} < ${floor} for ${behind} ms, loaded: ${loaded}`);
      report.furthest = Math.max(report.furthest, behind);
    }
    if (turn % 3 === 0) await delay(3); // lets messages in, and leaves the machine to others
  }
}

/** Makes the clock of this process wrong. */
function skewClock(milliseconds: number): void {
  const RealDate = Date;
  const now = () => RealDate.now() + milliseconds;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length > 0 ? args : [now()], newTarget),
    get: (target, property) => property === "now" ? now : Reflect.get(target, property),
  });
}

/** A client that always believes to be in touch, and hears nothing. */
function trusting(client: RedisClient): RedisClient {
  return new Proxy(client, {
    get(target, property) {
      if (property === "subscribe") {
        return (_channel: string, listener: { ready(): void }) => {
          setTimeout(() => listener.ready(), 0);
          return Promise.resolve({
            prove: () => Promise.resolve(true),
            [Symbol.asyncDispose]: () => Promise.resolve(),
          });
        };
      }
      const value = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const job: LocalJob = JSON.parse(Deno.args[0]!);
skewClock(job.skew);
using truth = new Truth(job.truth);
await using opened = await openCache({ port: job.port }, {
  namespace: "oracle",
  commandTimeout: 500,
  local: job.local,
  subscribeVia: { port: job.subscribePort },
  ...(job.broken && { wrap: trusting }),
});
const { cache } = opened;
const report: LocalReport = { hits: 0, loads: 0, stale: [], invalidations: {}, errors: [], behind: 0, furthest: 0 };
const history = new FloorHistory(truth);
const looking = setInterval(() => keys.forEach((key) => history.look(key)), LOOK_EVERY);
const manners = job.role === "writer" ? [0] : [0, 1, 2, 3];
await Promise.all(manners.map(async (manner) => {
  while (!truth.stopped) {
    try {
      if (job.role === "writer") await write(cache, truth, job, report);
      else await read(cache, truth, job, manner, history, report);
    } catch (error) {
      report.errors.push(String(error));
      await delay(5);
    }
  }
}));
clearInterval(looking);
console.log(JSON.stringify(report));
