import type { Cache } from "@larder/larder";
import { problem } from "../catalogue/problem.ts";
import type { Routes } from "../service/router.ts";
import type { Product } from "../catalogue/product.ts";
import type { Readers } from "./readers.ts";

/** What the routes work with. */
export interface AislesScene {
  cache: Cache;
  readers: Readers;
  products: readonly Product[];
  /** How often a product was fetched from the origin. */
  loadsOf: (id: number) => number;
  /** Told that readers come or stay away. */
  onPause: (paused: boolean) => void;
}

/** How many come at once to `/live/crowd`. */
const CROWD = 1000;

/**
 * Things to do to the catalogue: `POST /live/read/cheese` reads a category product by product,
 * `POST /live/invalidate/cheese` (or `all`) invalidates by tag, `POST /live/crowd` lets 1,000 readers ask for a product
 * that is not cached any more, and `POST /live/readers/pause` and `/live/readers/resume` stop and start those who come
 * by themselves.
 */
export function aisleRoutes({ cache, readers, products, loadsOf, onPause }: AislesScene): Routes {
  const idsOf = (category: string) => products.filter((one) => one.category === category).map(({ id }) => id);
  const pause = (paused: boolean) => () => {
    onPause(readers.paused = paused);
    return Response.json({ paused });
  };
  return {
    "POST /live/read/:category([a-z-]+)": async ({ category }) => {
      const ids = idsOf(category!);
      if (ids.length === 0) return problem(404, "There is no such category");
      const began = performance.now();
      const found = await Promise.all(ids.map(async (id) => {
        const [{ status }, product] = await Promise.all([cache.lookup(`product:${id}`), readers.product(id)]);
        return { name: product?.name ?? "", status };
      }));
      const milliseconds = performance.now() - began;
      const count = (status: string) => found.filter((one) => one.status === status).length;
      return Response.json({ hits: count("hit"), stale: count("stale"), misses: count("miss"), milliseconds });
    },
    "POST /live/invalidate/:category([a-z-]+)": async ({ category }) => {
      if (category === "all") return Response.json(await cache.invalidateByTag("products"));
      if (idsOf(category!).length === 0) return problem(404, "There is no such category");
      return Response.json(await cache.invalidateByTag(`category:${category}`));
    },
    "POST /live/crowd": async () => {
      const { id, name } = products[Math.floor(Math.random() * products.length)]!;
      await cache.invalidate(`product:${id}`);
      const [began, before] = [performance.now(), loadsOf(id)];
      await Promise.all(Array.from({ length: CROWD }, () => readers.product(id)));
      const milliseconds = performance.now() - began;
      return Response.json({ readers: CROWD, name, asked: loadsOf(id) - before, milliseconds });
    },
    "POST /live/readers/pause": pause(true),
    "POST /live/readers/resume": pause(false),
  };
}
