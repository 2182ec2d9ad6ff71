import { assertEquals, assertStringIncludes } from "@std/assert";
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import { Origin } from "../../examples/catalogue/origin.ts";
import { allProducts } from "../../examples/catalogue/product.ts";
import { Report } from "../../examples/catalogue/report.ts";
import { Catalogue } from "../../examples/catalogue/service.ts";
import { Stopwatch } from "../../examples/catalogue/stopwatch.ts";
import { STOCK, TOUR } from "../../examples/catalogue/tour.ts";

/** Walks one step of the tour with a cache some of whose methods do something else, and tells which claims broke. */
async function broken(step: string, sabotage: Partial<Record<keyof Cache, unknown>>): Promise<string[]> {
  await using real = new Cache(new MemoryStore());
  const cache = new Proxy(real, {
    get(target, name) {
      const member = sabotage[name as keyof Cache] ?? Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  await using origin = new Origin(allProducts(), 5);
  const report = new Report(() => {});
  const catalogue = new Catalogue({ cache, origin: origin.url, stock: STOCK });
  const show = TOUR.find(({ name }) => name === step)!;
  await show({ cache, catalogue, origin, report, watch: new Stopwatch(cache, origin) });
  return report.broken;
}

Deno.test("TOUR sees that each caller loads for itself", async () => {
  const claims = await broken("stampede", {
    getOrSet: (key: string, load: (context: unknown) => unknown) => load({ key, signal: undefined }),
  });
  assertStringIncludes(claims[0]!, "The origin is asked 1000 times");
});

Deno.test("TOUR sees that an invalidation by key, tag or pattern was lost", async (t) => {
  const lost = () => Promise.resolve({ status: "done", removed: 8 });
  await t.step("key", async () => {
    assertEquals((await broken("invalidationByKey", { invalidateMany: lost })).length, 2);
  });
  await t.step("tag", async () => {
    assertStringIncludes((await broken("invalidationByTag", { invalidateByTag: lost }))[0]!, "0 cheeses are read anew");
  });
  await t.step("pattern", async () => {
    assertStringIncludes(
      (await broken("invalidationByPattern", { invalidateByPattern: lost }))[0]!,
      "8 coffees are gone",
    );
  });
});

Deno.test("TOUR sees that an invalidation took too much", async () => {
  const claims = await broken("invalidationByTag", {
    invalidateByTag(this: Cache) {
      return this.clear();
    },
  });
  assertEquals(claims, ["8 coffees are still there"]);
});

Deno.test("Report.verdict() names what did not hold", () => {
  const lines: string[] = [];
  const report = new Report((line) => lines.push(line));
  report.claim("Water is wet", true);
  report.claim("Pigs fly", false);
  assertEquals(report.verdict(""), false);
  assertStringIncludes(lines.join("\n"), "1 of 2 claims did not hold:\n   ✗ Pigs fly");
});
