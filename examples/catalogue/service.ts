import type { Cache, LifetimeOptions, Loader } from "@larder/larder";
import type { Product } from "./product.ts";

/** What the catalogue needs. */
export interface CatalogueOptions {
  /** The cache. */
  cache: Cache;
  /** Where the origin is. */
  origin: string;
  /** How old the figures of stock may be. */
  stock?: LifetimeOptions;
}

/**
 * The catalogue, with a policy for each kind of data:
 *
 * - Products are kept for long. Whoever changes one invalidates it, so nobody sees the old price for five minutes.
 * - Stock changes all the time. Two seconds old is fine, ten seconds old is fine while a newer figure is being fetched,
 *   and
 *   when the origin is down, an hour old is better than no answer.
 */
export class Catalogue {
  readonly #cache: Cache;
  readonly #origin: string;
  readonly #stock: LifetimeOptions;

  constructor({ cache, origin, stock }: CatalogueOptions) {
    this.#cache = cache;
    this.#origin = origin;
    this.#stock = stock ?? { ttl: "2s", staleWhileRevalidate: "10s", staleIfError: "1h" };
  }

  /** A product, or `null` when there is none: that is cached too, but not for long. */
  product(id: number): Promise<Product | null> {
    return this.#cache.getOrSet(`product:${id}`, this.#from<Product>(`/products/${id}`), {
      ttl: (product) => product ? "5m" : "10s",
      jitter: 0.1, // so that what was loaded together does not expire together
      tags: (product) => product ? ["products", `category:${product.category}`] : ["products"],
    });
  }

  /** The products of a category, or `null`. The list shows their prices, so it has their tags. */
  category(name: string): Promise<Product[] | null> {
    return this.#cache.getOrSet(`category:${name}`, this.#from<Product[]>(`/categories/${name}`), {
      ttl: (products) => products ? "5m" : "10s",
      tags: ["products", `category:${name}`],
    });
  }

  /** How many pieces there are, or `null`. */
  stock(id: number): Promise<number | null> {
    return this.#cache.getOrSet(`stock:${id}`, this.#from<number>(`/stock/${id}`), this.#stock);
  }

  /** Changes a price where it lives, then invalidates what shows it: first the truth, then the cache. */
  async setPrice(id: number, price: number): Promise<Product | null> {
    const response = await fetch(`${this.#origin}/products/${id}`, { method: "PUT", body: JSON.stringify({ price }) });
    const product = await read<Product>(response);
    if (product) await this.#cache.invalidateMany([`product:${id}`, `category:${product.category}`]);
    return product;
  }

  #from<T>(path: string): Loader<T | null> {
    return async ({ signal }) => await read<T>(await fetch(this.#origin + path, { signal }));
  }
}

async function read<T>(response: Response): Promise<T | null> {
  if (response.ok) return await response.json();
  const text = await response.text();
  if (response.status === 404) return null;
  throw new Error(`Cannot read ${response.url}: the origin answered ${response.status} (${text})`);
}
