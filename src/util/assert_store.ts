import { describe } from "./describe.ts";

/**
 * Refuses what is no store where a service is made by hand, as by somebody who means `connect()`.
 *
 * @param store What was given.
 * @param method A method that such a store has.
 * @param action What was attempted, as in "open the cache".
 * @param example A store of the kind.
 * @throws {TypeError} If it has no such method.
 */
export function assertStore(store: unknown, method: string, action: string, example: string): void {
  const given = store as Record<string, unknown> | null | undefined;
  if (typeof given === "object" && given !== null && typeof given[method] === "function") return;
  throw new TypeError(
    `Cannot ${action}: wanted a store such as ${example} (connect() opens it with all that belongs to it), got ${
      describe(store)
    }`,
  );
}
