import type { EventListener } from "../../observe/events.ts";
import type { Batch } from "../../redis/batch.ts";
import type { InvalidationReplica } from "../invalidations.ts";
import type { KnownEntries } from "../known_entries.ts";
import type { OwedLeases } from "./owed_leases.ts";

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
  /** "1" when the server may have been restarted since it was last asked which run it is. */
  check(): "0" | "1";
  /** The server's run was checked on this connection. */
  checked(generation: number): void;
  /** Whether it was. */
  isChecked(generation: number): boolean;
  /** The server's time in milliseconds was this just now, at the earliest. */
  told(now: number): void;
  /** Leases that may have been granted by calls whose reply was lost. */
  readonly owed: OwedLeases;
}
