import type { EventListener } from "../observe/events.ts";
import type { LoadRunner } from "./load_runner.ts";
import type { Local } from "./local.ts";
import type { SharedReads } from "./shared_reads.ts";
import type { StatsCounter } from "./stats.ts";
import type { CacheStore } from "./store.ts";
import type { Values } from "./values.ts";

/** What a miss works on. */
export interface MissHost {
  readonly store: CacheStore;
  readonly values: Values;
  readonly loading: LoadRunner;
  readonly local: Local | undefined;
  /** Reads that take a lease away. */
  readonly steals: SharedReads;
  readonly stats: StatsCounter;
  readonly on: EventListener | undefined;
}
