import type { EventListener } from "../../observe/events.ts";
import type { Batch } from "../../redis/batch.ts";
import type { InvalidationReplica } from "../invalidations.ts";
import type { KnownEntries } from "../known_entries.ts";
import type { OwedLeases } from "./owed_leases.ts";
import type { RunCheck } from "./run_check.ts";
import type { ServerClock } from "./server_clock.ts";

/** What the store shares with its reader. */
export interface ReaderHost {
  readonly batch: Batch;
  readonly prefix: string;
  readonly ledger: string;
  readonly known: InvalidationReplica;
  readonly entries: KnownEntries;
  /** Most bytes of an entry. */
  readonly longest: number;
  readonly on: EventListener | undefined;
  readonly run: RunCheck;
  readonly clock: ServerClock;
  /** Leases that may have been granted by calls whose reply was lost. */
  readonly owed: OwedLeases;
}
