import type { Duration } from "../util/duration.ts";
import type { ManyLoader } from "./load_many.ts";
import type {
  GetOptions,
  GetOrSetOptions,
  InvalidationResult,
  LoaderContext,
  Lookup,
  OperationOptions,
  SetOptions,
} from "./options.ts";

/** What a definition needs of a cache; `Cache` has it. */
export interface CacheOperations {
  /** Reads a value, or has it loaded. */
  getOrSet<T>(
    key: string,
    loader: (context: LoaderContext<T>) => T | Promise<T>,
    options: GetOrSetOptions<T>,
  ): Promise<T>;
  /** Reads several values, or has them loaded together. */
  getOrSetMany<T>(
    keys: Iterable<string>,
    loader: ManyLoader<T>,
    options: GetOrSetOptions<T>,
  ): Promise<Map<string, T>>;
  /** How a value stands, without loading it. */
  lookup<T>(key: string, options: GetOptions<T>): Promise<Lookup<T>>;
  /** Stores a value. */
  set(key: string, value: unknown, options: SetOptions | Duration): Promise<boolean>;
  /** Removes a value. */
  invalidate(key: string, options: OperationOptions): Promise<InvalidationResult>;
  /** Removes all values with a tag. */
  invalidateByTag(tag: string, options: OperationOptions): Promise<InvalidationResult>;
}
