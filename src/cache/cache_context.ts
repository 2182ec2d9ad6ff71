import type { EventListener } from "../observe/events.ts";
import type { RefreshAhead } from "./early.ts";
import type { Local } from "./local.ts";
import type { SharedReads } from "./shared_reads.ts";
import type { StatsCounter } from "./stats.ts";
import type { CacheStore } from "./store.ts";
import type { Values } from "./values.ts";

/** What reads and loads of a cache work on. */
export interface CacheContext {
  readonly store: CacheStore;
  readonly values: Values;
  /** The copies in this process. */
  readonly local: Local | undefined;
  readonly stats: StatsCounter;
  readonly early: RefreshAhead;
  /** Reads that take a lease away. */
  readonly steals: SharedReads;
  /** How long nobody tries again after a loader failed while there is an older value, in milliseconds. */
  readonly retryAfter: number;
  readonly on: EventListener | undefined;
}
