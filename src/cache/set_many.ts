import type { Encoded } from "./codec.ts";
import type { BigCall, OrderedStore } from "./ordered_store.ts";
import { Pace } from "./pace.ts";
import type { CacheStore } from "./store.ts";

/**
 * Encodes several values and writes them, unless one of them cannot be encoded, and leaves others their turn in
 * between. What is called meanwhile comes behind it.
 *
 * @param store Where they are written.
 * @param pairs The values by key.
 * @param tags Their tags.
 * @param encode Encodes one.
 * @param write Writes one to the store that it is given.
 * @returns Whether each was stored.
 */
export async function setMany(
  store: OrderedStore,
  pairs: ReadonlyMap<string, unknown>,
  tags: readonly string[],
  encode: (key: string, value: unknown) => Encoded | Promise<Encoded>,
  write: (store: CacheStore, key: string, encoded: Encoded) => Promise<boolean>,
): Promise<boolean[]> {
  const keys = [...pairs.keys()];
  const pace = new Pace();
  const written: Promise<boolean>[] = [];
  let call: BigCall | undefined;
  try {
    const encoding: (Encoded | Promise<Encoded>)[] = [];
    for (const [key, value] of pairs) {
      if (pace.due) {
        call ??= store.begin(keys, tags);
        await pace.rest();
      }
      const one = encode(key, value);
      if (one instanceof Promise) one.catch(() => {}); // told when all have begun
      encoding.push(one);
    }
    let encoded = encoding as Encoded[];
    if (encoding.some((one) => one instanceof Promise)) {
      call ??= store.begin(keys, tags);
      encoded = await Promise.all(encoding);
    }
    if (call) await call.before;
    for (const [i, key] of keys.entries()) {
      if (pace.due) {
        call ??= store.begin(keys.slice(i), tags);
        await pace.rest();
        await call.before;
      }
      const one = write(call?.store ?? store, key, encoded[i]!);
      one.catch(() => {}); // told when all have begun
      written.push(one);
      call?.issued(key);
    }
  } finally {
    call?.end();
  }
  return await Promise.all(written);
}
