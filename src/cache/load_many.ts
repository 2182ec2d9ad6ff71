import { describe } from "../util/describe.ts";
import { isRecord } from "../util/record.ts";
import { AbsentError } from "./load_request.ts";
import { inTurns } from "./pace.ts";
import { turn } from "../util/turn.ts";
import { currentRun, Run, runAs } from "./waits.ts";

/** Most keys of which values are encoded, written and handed out before others get their turn. */
const KEYS_PER_TURN = 250;

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
 * @param sayAbsent Told when that gives `undefined` for a key.
 * @param getOrSet Reads one; runs the function it is given if this caller is to load it, and tells when the store was
 * asked.
 */
export async function loadMany<T>(
  keys: readonly string[],
  loader: ManyLoader<T>,
  sayAbsent: (key: string) => void,
  getOrSet: (key: string, load: () => Promise<T>, asked: () => void) => Promise<T>,
): Promise<Map<string, T>> {
  const gathered = new Gathered(loader, sayAbsent);
  const unasked = new Set(keys);
  const one = async (key: string): Promise<{ value: T } | undefined> => {
    const asked = () => {
      if (unasked.delete(key) && unasked.size === 0) gathered.complete();
    };
    try {
      return { value: await getOrSet(key, () => gathered.load(key), asked) };
    } catch (error) {
      if (error instanceof AbsentError) return undefined;
      throw error;
    } finally {
      asked();
    }
  };
  const values = await Promise.all(await inTurns(keys, one));
  const found = new Map<string, T>();
  for (const [i, key] of keys.entries()) if (values[i]) found.set(key, values[i].value);
  return found;
}

/** Keys that are loaded by one call. */
class Together<T> {
  readonly keys: string[] = [];
  readonly run: Run = new Run(undefined);
  loaded: Promise<ReadonlyMap<string, T>> | undefined;
  readonly #turns: Promise<void>[] = [];

  /**
   * Waits until they are loaded, or could not be, and for the turn of the key at a place: what is made of a value takes
   * a while.
   */
  async turnOf(place: number): Promise<void> {
    const { loaded } = this;
    const turns = this.#turns;
    if (turns.length === 0) turns.push(loaded!.then(() => {}, () => {}));
    const part = Math.floor(place / KEYS_PER_TURN);
    while (turns.length <= part) turns.push(turns.at(-1)!.then(() => turn()));
    await turns[part];
  }
}

/** Gathers keys that come in the same moment. */
class Gathered<T> {
  readonly #loader: ManyLoader<T>;
  readonly #sayAbsent: (key: string) => void;
  #together = new Together<T>();
  readonly #complete = Promise.withResolvers<void>();

  constructor(loader: ManyLoader<T>, sayAbsent: (key: string) => void) {
    this.#loader = loader;
    this.#sayAbsent = sayAbsent;
  }

  /** The store has been asked for all keys. */
  complete(): void {
    this.#complete.resolve();
  }

  async load(key: string): Promise<T> {
    const together = this.#together;
    const place = together.keys.push(key) - 1;
    const run = currentRun();
    if (run) run.within = together.run;
    together.loaded ??= this.#load(together);
    await together.turnOf(place);
    const loaded = await together.loaded;
    const value = loaded.get(key);
    if (value !== undefined) return value;
    if (loaded.has(key)) this.#sayAbsent(key);
    throw new AbsentError();
  }

  async #load(together: Together<T>): Promise<ReadonlyMap<string, T>> {
    // Big calls take several replies of the store.
    await this.#complete.promise;
    // One reply decides for many keys; a turn of the event loop later all of them are here.
    await turn();
    this.#together = new Together();
    const { run, keys } = together;
    try {
      return mapOf(await runAs(run, () => this.#loader(keys)));
    } finally {
      run.over = true;
    }
  }
}

/** What a loader of several gave, as a map. */
function mapOf<T>(loaded: unknown): ReadonlyMap<string, T> {
  if (loaded instanceof Map) return loaded;
  if (isRecord(loaded)) return new Map(Object.entries(loaded as Record<string, T>));
  throw new TypeError(`Cannot load: wanted a Map or an object of values by key, got ${describe(loaded)}`);
}
