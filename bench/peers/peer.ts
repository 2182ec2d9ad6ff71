import type { Product } from "../workload.ts";

/** A way to keep the products of the workload in Redis, as a service would use it. */
export interface Peer extends AsyncDisposable {
  /** What it is and how it reads, as it stands in the table. */
  readonly reading: string;
  /** What it is and how it writes. */
  readonly writing: string;
  /** Reads the product of key `i`. */
  read(i: number): Promise<unknown>;
  /** Stores the product of key `i`. */
  write(i: number): Promise<unknown>;
}

/** What a peer has that knows tags. */
export interface TaggedPeer extends Peer {
  /** What it is and how it invalidates by tag. */
  readonly invalidating: string;
  /** Stores a value under a key with tags. */
  set(key: string, value: Product, tags: string[]): Promise<unknown>;
  /** Reads what is under a key. */
  get(key: string): Promise<unknown>;
  /** Invalidates what has the tag. */
  invalidateByTag(tag: string): Promise<unknown>;
  /** Invalidates everything. */
  clear(): Promise<unknown>;
}
