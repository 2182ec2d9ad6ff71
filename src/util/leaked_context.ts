import { AsyncLocalStorage } from "node:async_hooks";

/** Runs something in the context of the beginning, in which nothing is stored. */
const atBeginning = AsyncLocalStorage.snapshot();
let ending = false;
let ended = 0;
const leaked = new WeakSet<object>();

/**
 * What a storage holds for whatever comes from outside, such as a request. It should be nothing, but Deno (2.1 to 2.9)
 * leaves the context in which `import()` has loaded a module to all that comes afterwards, so that requests of others
 * seem to be within what imported it.
 *
 * @param storage The storage.
 * @returns What it holds.
 */
export function heldOutside<T>(storage: AsyncLocalStorage<T>): Promise<T | undefined> {
  if (!("Deno" in globalThis)) return Promise.resolve(undefined);
  const { promise, resolve } = Promise.withResolvers<T | undefined>();
  // Listeners of this signal run in no context of their own. The reference keeps it alive.
  const signal = AbortSignal.timeout(0);
  signal.onabort = () => {
    const held = signal.aborted ? storage.getStore() : undefined;
    if (typeof held === "object" && held !== null) leaked.add(held);
    resolve(held);
  };
  return promise;
}

/**
 * Whether something that a storage holds here may be held for others, too, so that it says nothing of who is called
 * within it.
 *
 * @param storage The storage.
 * @param here What it holds here.
 */
export async function mayBeLeaked<T extends object>(storage: AsyncLocalStorage<T>, here: T): Promise<boolean> {
  return await heldOutside(storage) !== undefined || leaked.has(here);
}

/**
 * Ends that: the next module that is loaded leaves its own context, which is that of the beginning.
 *
 * @param storage One that seems to hold what is none of the caller's.
 */
export function endLeak(storage: AsyncLocalStorage<unknown>): void {
  if (ending || !("Deno" in globalThis)) return;
  ending = true;
  heldOutside(storage).then((held) => {
    if (held === undefined) return;
    const module = `data:text/javascript,${++ended}`; // one that was loaded before would change nothing
    return atBeginning(() => import(/* @vite-ignore */ module));
  }).catch(() => {}).finally(() => ending = false);
}
