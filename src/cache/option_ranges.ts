import type { DurationLimits } from "../util/duration.ts";
import { LONGEST_LEASE } from "./entry.ts";

// What options of the cache may be, wherever they are checked.

/** A lease. */
export const LEASE: DurationLimits = { min: 10, max: LONGEST_LEASE };
/** What becomes a timer: a day at most. */
export const TIMER: DurationLimits = { max: 86_400_000 };
/** The most bytes of a value or a key: what the length of an argument can be. */
export const MOST_BYTES = 0xffff_ffff;
