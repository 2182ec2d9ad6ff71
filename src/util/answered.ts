import { clearTimeout, setTimeout } from "./real_timers.ts";

/** How long a callback that reads or checks a value may take, in milliseconds. */
const PATIENCE = 2000;

/**
 * Waits for what a callback of an app promised, which may never come: a read is not to hang for ever because of it.
 *
 * @param promised What it returned.
 * @param what Who promised it, for the error.
 * @returns The same, for so long.
 * @throws {Error} If it has not come by then.
 */
export function answered<T>(promised: PromiseLike<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what} gave no answer within ${PATIENCE} ms`)), PATIENCE);
  return Promise.race([Promise.resolve(promised).finally(() => clearTimeout(timer)), late.promise]);
}
