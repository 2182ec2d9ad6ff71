import type { Cache } from "@larder/larder";
import type { Origin } from "./origin.ts";
import type { Product } from "./product.ts";
import { count, duration, type Report } from "./report.ts";
import type { Catalogue } from "./service.ts";
import { pause, type Stopwatch } from "./stopwatch.ts";

/** What the tour walks through. */
export interface Scene {
  cache: Cache;
  catalogue: Catalogue;
  origin: Origin;
  report: Report;
  watch: Stopwatch;
}

/** How old figures of stock may be on the tour: seconds instead of hours, so that nobody has to wait. */
export const STOCK = { ttl: "100ms", staleWhileRevalidate: "700ms", staleIfError: "1h" };

/** How long nobody asks an origin again that has just failed. */
export const RETRY_AFTER = "300ms";

const CHEESE = [101, 102, 103, 104, 105, 106, 107, 108];
const COFFEE = [201, 202, 203, 204, 205, 206, 207, 208];

/** The tour: work that is really done, claims that are really checked. */
export const TOUR: readonly ((scene: Scene) => Promise<void>)[] = [
  withoutCache,
  missAndHit,
  stampede,
  staleWhileRevalidating,
  invalidationByKey,
  invalidationByTag,
  invalidationByPattern,
  staleIfError,
];

async function withoutCache({ origin, report, watch }: Scene): Promise<void> {
  report.step("Without a cache, every reader waits for the origin");
  const { asked, p50 } = await watch.inTurn("the origin itself", 5, async () => {
    const response = await fetch(`${origin.url}/products/101`);
    return await response.json() as Product;
  });
  report.claim(`5 readers, ${asked} requests, ${duration(p50)} each`, asked === 5);
}

async function missAndHit({ catalogue, origin, report, watch }: Scene): Promise<void> {
  report.step("A cold miss asks the origin, a hit does not");
  const read = () => catalogue.product(101);
  const miss = await watch.together("cold miss", [read]);
  report.claim(`The first reader waits ${duration(miss.p50)} for "${miss.values[0]?.name}"`, miss.asked === 1);
  const hits = await watch.inTurn("hit", 1000, read);
  report.claim(
    `1,000 more wait ${duration(hits.p50)} each, and the origin is asked ${hits.asked} times`,
    hits.asked === 0 && hits.p50 < origin.delay / 5 && hits.values.every((product) => product?.id === 101),
  );
  const crowd = await watch.inTurn("hit, 64 callers at a time", 100, read, 64);
  report.claim(`64 callers at a time make ${count(crowd.rate)} reads per second`, crowd.asked === 0);
}

async function stampede({ catalogue, report, watch }: Scene): Promise<void> {
  report.step("1,000 callers want a product that nobody has loaded yet");
  const { asked, values } = await watch.together(
    "cold miss, 1,000 at once",
    repeat(1000, () => catalogue.product(301)),
  );
  report.claim(
    `The origin is asked ${times(asked)}, and all of them get its answer`,
    asked === 1 && values.every((product) => product?.id === 301),
  );
  report.claim("Each gets an object of its own: what one does to it, no other sees", new Set(values).size === 1000);
}

async function staleWhileRevalidating({ catalogue, origin, report, watch }: Scene): Promise<void> {
  report.step("Stale while revalidating: the old figure at once, a new one behind the scenes");
  const read = () => catalogue.stock(401);
  const before = await read();
  await pause(150);
  origin.change(401, { stock: 12 });
  const { asked, p50, values } = await watch.inTurn("stale, being refreshed", 10, read);
  report.claim(
    `10 readers get the figure of a moment ago, ${before}, in ${duration(p50)}`,
    values.every((value) => value === before) && p50 < origin.delay / 2,
  );
  const after = await read();
  report.claim(`The origin is asked ${times(asked)}: the next reader gets ${after}`, asked === 1 && after === 12);
}

async function invalidationByKey({ catalogue, origin, report }: Scene): Promise<void> {
  report.step("Invalidation by key: a loader that is running does not bring the old price back");
  const before = origin.calls;
  const early = catalogue.product(501);
  while (origin.calls === before) await pause(1);
  await catalogue.setPrice(501, 9.99); // the origin has looked the old price up, its answer is on the way
  const late = await catalogue.product(501);
  report.claim(
    `Who asked before the change gets ${(await early)?.price} €, who asks after it gets ${late?.price} €`,
    late?.price === 9.99,
  );
  report.claim("So does everybody from then on", (await catalogue.product(501))?.price === 9.99);
}

async function invalidationByTag({ cache, catalogue, origin, report, watch }: Scene): Promise<void> {
  report.step("Invalidation by tag: one category, at the same cost however large");
  const read = (ids: number[]) => ids.map((id) => () => catalogue.product(id));
  await Promise.all(CHEESE.map((id) => catalogue.product(id)));
  await watch.together("cold miss", read(COFFEE));
  for (const id of CHEESE) origin.change(id, { price: 5 });
  await cache.invalidateByTag("category:cheese");
  const cheese = await watch.together("after an invalidation", read(CHEESE));
  report.claim(
    `${cheese.asked} cheeses are read anew, and cost what they cost now`,
    cheese.asked === 8 && cheese.values.every((product) => product?.price === 5),
  );
  const coffee = await watch.together("hit", read(COFFEE));
  report.claim("8 coffees are still there", coffee.asked === 0);
}

async function invalidationByPattern({ cache, catalogue, origin, report, watch }: Scene): Promise<void> {
  report.step("Invalidation by pattern: product:20?");
  const read = (ids: number[]) => ids.map((id) => () => catalogue.product(id));
  await Promise.all([...CHEESE, ...COFFEE].map((id) => catalogue.product(id)));
  for (const id of COFFEE) origin.change(id, { price: 7 });
  const { removed } = await cache.invalidateByPattern("product:20?");
  const coffee = await watch.together("after an invalidation", read(COFFEE));
  report.claim(
    `${removed} coffees are gone, read anew, and cost what they cost now`,
    removed === 8 && coffee.asked === 8 && coffee.values.every((product) => product?.price === 7),
  );
  const cheese = await watch.together("hit", read(CHEESE));
  report.claim("8 cheeses are still there", cheese.asked === 0);
}

async function staleIfError({ catalogue, origin, report, watch }: Scene): Promise<void> {
  report.step("Stale if error: the origin fails");
  const read = () => catalogue.stock(401);
  await pause(850); // from now on the figure is too old to be served while a newer one is there to be had
  origin.failing = true;
  const saved = await watch.together("stale, the origin fails", repeat(100, read));
  report.claim(
    `100 callers get the last good figure, and the origin is asked ${times(saved.asked)}`,
    saved.asked === 1 && saved.values.every((value) => value === 12),
  );
  const spared = await watch.inTurn("stale, the origin fails", 10, read);
  report.claim(
    `10 more get it in ${duration(spared.p50)}: for ${RETRY_AFTER}, nobody tries again`,
    spared.asked === 0 && spared.values.every((value) => value === 12),
  );
  const error = await catalogue.product(801).then(() => undefined, (error: Error) => error);
  report.claim(
    "Where there is nothing older, the caller gets the origin's error:",
    error?.message.includes("503") ?? false,
  );
  report.note(String(error));

  origin.failing = false;
  origin.change(401, { stock: 150 });
  await pause(350);
  report.claim("The origin is back, and so are new figures", await read() === 150);
}

function repeat<T>(times: number, call: () => Promise<T>): (() => Promise<T>)[] {
  return Array<() => Promise<T>>(times).fill(call);
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
