import type { LarderEvent } from "@larder/larder";
import type { Product } from "../catalogue/product.ts";

/**
 * What became of an entry: `hit` (fresh), `stale`, `loaded` (it had to be fetched, and is there now), `passed`
 * (fetched, but not stored), `gone` (invalidated).
 */
export type Fate = "hit" | "stale" | "loaded" | "passed" | "gone";

const KEY = /^product:(\d+)$/;

/** Which products are in the cache, as far as the events of this process tell. */
export class Shelf {
  readonly #products: readonly Product[];
  readonly #ids: ReadonlySet<number>;
  readonly #known = new Map<number, Fate>();
  readonly #changed = new Map<number, Fate>();
  readonly #loads = new Map<number, number>();

  constructor(products: readonly Product[]) {
    this.#products = products;
    this.#ids = new Set(products.map(({ id }) => id));
  }

  /** Takes an event of the cache. */
  see(event: LarderEvent): void {
    switch (event.type) {
      case "cache.hit":
        return this.#put(event.key, event.stale ? "stale" : "hit");
      case "cache.load":
        this.#count(event.key);
        return this.#put(event.key, event.stored ? "loaded" : "passed");
      case "cache.epoch":
        return this.#goneIf(() => true);
      case "cache.invalidate":
        return this.#goneIf((product) => isMeant(product, event.by, event.what));
    }
  }

  /** Everything that is known, for who has just come. */
  all(): [number, Fate][] {
    return [...this.#known];
  }

  /** What has changed since this was last asked. */
  take(): [number, Fate][] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  /** How often a product was fetched from the origin. */
  loadsOf(id: number): number {
    return this.#loads.get(id) ?? 0;
  }

  #count(key: string): void {
    const id = this.#idOf(key);
    if (id !== undefined) this.#loads.set(id, this.loadsOf(id) + 1);
  }

  #put(key: string, fate: Fate): void {
    const id = this.#idOf(key);
    if (id === undefined) return;
    this.#known.set(id, fate);
    // That somebody had to fetch it is worth more of a look than who found it afterwards.
    if (fate === "hit" && this.#changed.get(id) === "loaded") return;
    this.#changed.set(id, fate);
  }

  /** The product of a key; what people ask for besides is not kept. */
  #idOf(key: string): number | undefined {
    const id = Number(KEY.exec(key)?.[1]);
    return this.#ids.has(id) ? id : undefined;
  }

  #goneIf(isMeant: (product: Product) => boolean): void {
    for (const product of this.#products) {
      if (isMeant(product)) this.#put(`product:${product.id}`, "gone");
    }
  }
}

function isMeant({ id, category }: Product, by: string, what: readonly string[]): boolean {
  if (by === "tag") return what.includes("products") || what.includes(`category:${category}`);
  return by === "clear" || by === "pattern" || what.includes(`product:${id}`);
}
