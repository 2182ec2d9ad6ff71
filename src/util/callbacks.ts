/**
 * Passes on what a callback of an app returned. If that is a promise although none is expected, nobody waits for it,
 * and its rejection must not end the process.
 *
 * @param returned What it returned.
 * @returns The same.
 */
export function unawaited<T>(returned: T): T {
  if (typeof returned !== "object" || returned === null) return returned;
  try {
    const { then } = returned as { then?: unknown };
    if (typeof then === "function") then.call(returned, undefined, () => {});
  } catch {
    // It only looked like a promise.
  }
  return returned;
}

/** Calls what only watches: neither what it throws nor a promise of it that rejects reaches anybody. */
export function callQuietly<Args extends unknown[]>(
  callback: ((...args: Args) => unknown) | undefined,
  ...args: Args
): void {
  try {
    unawaited(callback?.(...args));
  } catch {
    // Watching must not break what is watched.
  }
}
