import data from "./products.json" with { type: "json" };

/** A product as the origin knows it. */
export interface Product {
  id: number;
  name: string;
  category: string;
  region: string;
  unit: string;
  /** In euros. */
  price: number;
  /** Pieces that are there. */
  stock: number;
}

/** A fresh copy of the data file. */
export function allProducts(): Product[] {
  return structuredClone(data);
}
