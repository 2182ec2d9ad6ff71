import type { Cache } from "@larder/larder";
import { allProducts, type Product } from "../catalogue/product.ts";

/** A product, and which task loaded it when: that shows what came from the cache. */
export interface Loaded {
  product: Product;
  by: string;
  at: string;
}

/** How long the database behind this example takes for an answer, in milliseconds. */
const SLOW = 50;

/** Products out of a slow database, cached for all tasks of the service. */
export class Catalogue {
  readonly #cache: Cache;
  readonly #task: string;
  readonly #products = new Map(allProducts().map((product) => [product.id, product]));

  constructor(cache: Cache, task: string) {
    this.#cache = cache;
    this.#task = task;
  }

  /** A product, or `null` when there is none. */
  product(id: number): Promise<Loaded | null> {
    return this.#cache.getOrSet(`product:${id}`, () => this.#load(id), {
      ttl: (loaded) => loaded ? "5m" : "10s",
      staleWhileRevalidate: "1m",
      staleIfError: "1h",
      tags: ["products"],
    });
  }

  /** Makes all tasks load the products again; resolves to whether that has happened, or will when Redis is back. */
  async reload(): Promise<"done" | "queued"> {
    return (await this.#cache.invalidateByTag("products")).status;
  }

  async #load(id: number): Promise<Loaded | null> {
    await new Promise((resolve) => setTimeout(resolve, SLOW));
    const product = this.#products.get(id);
    return product ? { product, by: this.#task, at: new Date().toISOString() } : null;
  }
}
