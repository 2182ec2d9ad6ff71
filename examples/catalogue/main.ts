/**
 * A tour of a product catalogue over a slow origin, which ends by itself, on the embedded store or on the Redis of
 * REDIS_URL:
 *
 *     deno task demo
 *     REDIS_URL=redis://127.0.0.1:6379 deno task demo
 *
 * @module
 */
import { connect } from "@larder/larder";
import { Origin } from "./origin.ts";
import { PICTURES, pictures } from "./pictures.ts";
import { allProducts } from "./product.ts";
import { count, Report } from "./report.ts";
import { Catalogue } from "./service.ts";
import { Stopwatch } from "./stopwatch.ts";
import { RETRY_AFTER, STOCK, TOUR } from "./tour.ts";
import { limits, sessions } from "./visitors.ts";

/** Shows what Larder does; resolves to whether all of it held. */
async function demo(): Promise<boolean> {
  const started = performance.now();
  const report = new Report();
  const products = allProducts();
  await using origin = new Origin(products);
  let reads = 0;
  // A namespace of its own: nothing else in a shared Redis is touched.
  await using redis = await connect({
    namespace: "larder-demo",
    cache: { retryAfter: RETRY_AFTER },
    images: { root: PICTURES },
    on(event) {
      if (event.type === "cache.load" && event.key.startsWith("image:")) reads++;
      if (event.type === "redis.disconnected" && event.error) report.note(`Redis: ${event.error}`);
    },
  });
  await redis.ready({ timeout: "3s" });
  const { cache } = redis;
  await cache.clear();

  const categories = new Set(products.map(({ category }) => category)).size;
  report.title(
    redis.store === "redis" ? "Larder on Redis" : "Larder on its embedded store",
    `${products.length} products in ${categories} categories, an origin that takes ${origin.delay} ms`,
  );
  const catalogue = new Catalogue({ cache, origin: origin.url, stock: STOCK });
  const watch = new Stopwatch(cache, origin);
  for (const show of TOUR) await show({ cache, catalogue, origin, report, watch });
  await pictures({ cache, reads: () => reads, report, watch });
  await sessions({ redis, report });
  await limits({ redis, report });

  const { hits, stale, misses, hitRate, coalesced, loads } = cache.stats();
  report.table(watch.latencies.rows());
  report.summary([
    `${count(hits + stale + misses)} reads, hit ratio ${(hitRate * 100).toFixed(1)} %`,
    `${count(coalesced)} callers shared somebody else's load, ${loads} loads in all`,
  ]);
  await cache.invalidateByPattern("*"); // gives back what the tour took
  return report.verdict(`${((performance.now() - started) / 1000).toFixed(1)} s`);
}

if (import.meta.main) {
  try {
    if (!await demo()) Deno.exitCode = 1;
  } catch (error) {
    // deno-lint-ignore no-console -- not among what it prints, but beside it
    new Report(console.error).failure(error);
    Deno.exitCode = 1;
  }
}
