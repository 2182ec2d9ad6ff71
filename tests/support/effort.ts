/**
 * How much longer the property tests run than they do by default: 1, or what `TEST_EFFORT` says. With 10 they run as
 * long as they were written for.
 *
 * ```sh
 * TEST_EFFORT=10 deno task test tests/util/keys_test.ts tests/values/json_batch_test.ts
 * ```
 */
export const EFFORT: number = Number(Deno.env.get("TEST_EFFORT") ?? 1);

/** A size by which a test is smaller than it was written for, unless `TEST_EFFORT` is 10 or more. */
export function sized(usual: number, full: number): number {
  return EFFORT < 10 ? usual : full;
}
