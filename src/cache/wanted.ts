import type { StandardSchema } from "../values/standard_schema.ts";

/** What a reader wants. */
export interface Wanted<T> {
  /** What the value must fit. */
  readonly schema: StandardSchema<unknown, T> | undefined;
  /** Its version. */
  readonly version: string | undefined;
  /** Ends the wait. */
  readonly signal: AbortSignal | undefined;
}
