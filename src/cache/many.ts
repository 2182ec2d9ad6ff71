import { describe } from "../describe.ts";
import { setTimeout } from "../redis/timers.ts";
import { AbsentError } from "./loading.ts";

/** Gets several values from where they really live: those that there are, as a `Map` or an object. */
export type ManyLoader<T> = (
  missing: readonly string[],
) =>
  | ReadonlyMap<string, T>
  | Readonly<Record<string, T>>
  | Promise<ReadonlyMap<string, T> | Readonly<Record<string, T>>>;

/**
 * Reads several keys one by one, and gathers those whose turn it is to be loaded into one call of the loader.
 *
 * @param keys The keys.
 * @param loader Loads several.
 * @param getOrSet Reads one; runs the function it is given if this caller is to load it.
 */
export async function loadMany<T>(
  keys: readonly string[],
  loader: ManyLoader<T>,
  getOrSet: (key: string, load: () => Promise<T>) => Promise<T>,
): Promise<Map<string, T>> {
  const gathered = new Gathered(loader);
  const values = await Promise.all(keys.map(async (key) => {
    try {
      return { value: await getOrSet(key, () => gathered.load(key)) };
    } catch (error) {
      if (error instanceof AbsentError) return undefined;
      throw error;
    }
  }));
  const found = new Map<string, T>();
  for (const [i, key] of keys.entries()) if (values[i]) found.set(key, values[i].value);
  return found;
}

/** Keys that come in the same moment, loaded by one call. */
class Gathered<T> {
  readonly #loader: ManyLoader<T>;
  #keys: string[] = [];
  #loaded: Promise<ReadonlyMap<string, T>> | undefined;

  constructor(loader: ManyLoader<T>) {
    this.#loader = loader;
  }

  async load(key: string): Promise<T> {
    this.#keys.push(key);
    const loaded = await (this.#loaded ??= this.#load());
    if (!loaded.has(key)) throw new AbsentError(`Cannot load ${JSON.stringify(key)}: the loader gave no value for it`);
    return loaded.get(key)!;
  }

  async #load(): Promise<ReadonlyMap<string, T>> {
    // One reply of the store decides for many keys; a turn of the event loop later all of them are here.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const keys = this.#keys;
    this.#keys = [];
    this.#loaded = undefined;
    const loaded: unknown = await this.#loader(keys);
    if (loaded instanceof Map) return loaded;
    if (typeof loaded === "object" && loaded !== null && !Array.isArray(loaded)) {
      return new Map(Object.entries(loaded as Record<string, T>));
    }
    throw new TypeError(`Cannot load: wanted a Map or an object of values by key, got ${describe(loaded)}`);
  }
}
