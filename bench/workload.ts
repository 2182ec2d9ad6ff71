/** How many keys the reading and writing scenarios use, one after the other, so that no two callers want the same. */
export const KEYS = 1_000;
/** The names of the keys. */
export const NAMES: readonly string[] = Array.from({ length: KEYS }, (_, i) => `product:${i}`);
/** Seconds that entries live: longer than any run. */
export const TTL = 600;

/** What is stored. */
export interface Product {
  id: number;
  name: string;
  category: string;
  price: number;
  stock: number;
  available: boolean;
  description: string;
  updatedAt: string;
}

/** The value of a key: about 200 bytes of JSON. */
export function valueOf(i: number): Product {
  return {
    id: i,
    name: `Product number ${i}`,
    category: `category-${i % 20}`,
    price: 100 + i / 4,
    stock: i % 50,
    available: i % 50 > 0,
    description: "A thing that everybody needs every day",
    updatedAt: "2025-01-31T12:00:00.000Z",
  };
}

/** The three tags of a key. */
export function tagsOf(i: number): string[] {
  return ["products", `category:${i % 20}`, `product:${i}`];
}

/** The tags of each key, made beforehand. */
export const TAGS: readonly string[][] = NAMES.map((_, i) => tagsOf(i));
/** The values of each key, made beforehand. */
export const VALUES: readonly Product[] = NAMES.map((_, i) => valueOf(i));
