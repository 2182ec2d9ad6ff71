import type { Encoded } from "./codec.ts";
import type { Previous } from "./loader_context.ts";
import type { Fence, Read } from "./store.ts";
import type { Found } from "./values.ts";
import type { Run } from "./waits.ts";

/** What a loader gave. */
export interface Outcome {
  /** The value. */
  readonly value: unknown;
  /** The same, encoded; absent when it is not to be stored, or cannot be. */
  readonly encoded: Encoded | undefined;
  /** Whether the loader said that there is none. */
  readonly absent?: boolean;
}

/** A loader that runs on behalf of all who wait for it. */
export interface Flight extends Fence {
  /** The key. */
  readonly key: string;
  /** Of which version its value is. */
  readonly version: string | undefined;
  /** The tags, as far as they are known. */
  tags: readonly string[];
  /** Whether an invalidation in this process came after it began. */
  detached: boolean;
  /** How many had been started when it was; see `LoadRunner.started`. */
  readonly number: number;
  /** What it waits for. */
  readonly run: Run;
  /** What it gives. */
  readonly promise: Promise<Outcome>;
}

/** How a flight is started. */
export interface Start<T> {
  /** The read that missed; without it, nothing is stored. */
  readonly fence: Read | undefined;
  /** The previous value. */
  readonly previous: Found<T>;
  /** Whether nobody waits for it. */
  readonly background: boolean;
  /** Whether a failure leaves something to be served, so that the next attempt can wait. */
  readonly fallback: boolean;
}

/** What there was before, apart from the reply that it came with, which holds other entries too. */
export function previousOf<T>({ previous, fence }: Start<T>): Previous<T> | undefined {
  const entry = fence?.entry;
  if (!previous || !entry) return undefined;
  return { value: previous.value, payload: entry.payload.slice(), flags: entry.flags, tags: entry.tags };
}
