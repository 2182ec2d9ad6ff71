import { assert } from "@std/assert";
import type { Cache } from "../../../src/cache/cache.ts";
import { WITH_LOCAL } from "../../support/contract_target.ts";
import { until } from "../../support/until.ts";
import { type Kind, KINDS, openTwo } from "./cache_kinds.ts";
import { type Opened, pause } from "./cache_tools.ts";
import type { Case } from "./harness.ts";

/** So many milliseconds a copy may be behind other processes, and one by which the clock may be late (C5). */
const BOUND = 1001;

/** Reads until no read goes to the store any more: there is a copy. */
async function untilCopied({ cache, store }: Opened): Promise<void> {
  const { read } = store;
  let asked = true;
  store.read = (...args) => {
    asked = true;
    return read.apply(store, args);
  };
  await until(async () => {
    asked = false;
    await cache.get("a");
    return !asked;
  }, "there is a copy");
  store.read = read;
}

/** How old what is served may be: with copies in the process a second, and otherwise nothing. */
export const cacheBounds: Readonly<Record<string, Case>> = {
  "What another process invalidates or replaces, no copy outlives by more than a second (C5)": async (harness) => {
    const caches = await openTwo(harness);
    const [by, { cache }] = caches;
    const set = (cache: Cache) => cache.set("a", "new");
    const changes = [...Object.entries(KINDS).map(([name, { invalidate }]) => [name, invalidate] as const), [
      "set()",
      set,
    ]];
    for (const [name, change] of changes as [string, Kind["invalidate"]][]) {
      await by.cache.set("a", "old", { tags: ["x", "t"] });
      await until(async () => await cache.get("a") === "old", "it is seen");
      if (WITH_LOCAL) await untilCopied(caches[1]);
      await change(by.cache);
      const bound = performance.now() + (WITH_LOCAL ? BOUND : 0);
      for (;;) {
        const began = performance.now();
        if (await cache.get("a") !== "old") break;
        assert(began <= bound, `${name} was not seen after ${began - bound} ms more than promised`);
        await pause(1);
      }
    }
  },

  "Under a storm of invalidations nobody is served what is older": async (harness) => {
    const caches = await openTwo(harness, { ttl: 60, staleWhileRevalidate: 60 });
    const kinds = Object.values(KINDS);
    let source = 0;
    // By who acknowledged it: when, and what.
    const acknowledged: [at: number, value: number][][] = [[], []];
    /** What a reader is given at least: none is behind itself, and with copies none by more than a second. */
    const leastOf = (i: number) => {
      const before = performance.now() - (WITH_LOCAL ? BOUND : 0);
      const told = acknowledged.flatMap((all, by) => all.filter(([at]) => by === i || at <= before));
      return Math.max(0, ...told.map(([, value]) => value));
    };
    let running = true;
    let hits = 0;
    const options = { tags: () => ["x", "t"] };
    const reader = async ({ cache }: Opened, i: number) => {
      while (running) {
        const least = leastOf(i % 2);
        const load = async () => {
          const value = source;
          await pause(i % 3);
          return `${value}`;
        };
        const value = i % 2 === 0 ? await cache.getOrSet("a", load, options) : await cache.get<string>("a");
        if (value !== undefined) {
          hits++;
          assert(Number(value) >= least, `${value} is older than ${least}`);
        }
        await pause(0);
      }
    };
    const readers = Array.from({ length: 12 }, (_, i) => reader(caches[i % 2]!, i));
    const writer = (async () => {
      for (let i = 0; i < 60; i++) {
        const value = ++source;
        if (i % 8 === 7) await caches[i % 2]!.cache.set("a", `${value}`, { tags: ["x", "t"] });
        else await kinds[i % kinds.length]!.invalidate(caches[i % 2]!.cache);
        acknowledged[i % 2]!.push([performance.now(), value]);
        await pause(i % 3);
      }
      // Until it is seen that no copy outlives the bound.
      if (WITH_LOCAL) await pause(BOUND + 100);
      running = false;
    })();
    await Promise.all([writer, ...readers]).finally(() => running = false);
    assert(hits > 100, `${hits} hits`);
  },
};
