import { assertEquals } from "@std/assert";
import { StatsCounter } from "../../src/cache/stats.ts";

Deno.test("StatsCounter.snapshot() derives the hit rate and takes what is outside", () => {
  const counter = new StatsCounter();
  assertEquals(counter.snapshot(0, 0).hitRate, 0);
  counter.hits = 5;
  counter.stale = 1;
  counter.misses = 2;
  const stats = counter.snapshot(3, 4);
  assertEquals([stats.hitRate, stats.queued, stats.loading], [0.75, 3, 4]);
  counter.hits++;
  assertEquals(stats.hits, 5);
});
