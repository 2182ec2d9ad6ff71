import { LONGEST_LEASE, type WireEntry } from "../entry.ts";
import type { EntryReader } from "./entry_reader.ts";
import type { InvalidationReplica, TagLookup, Verdict } from "../invalidations.ts";
import type { KnownEntry } from "../known_entries.ts";
import { type PendingRead, TRIES } from "./pending_read.ts";
import { stateOf } from "../state.ts";
import type { EntryState, Read } from "../store.ts";

/** What a reply says beside the values. */
export interface Moment {
  /** Which life of the ledger it is. */
  readonly epoch: number;
  /** The place of the read in the store's order. */
  readonly clock: number;
  /** A place behind all that was given away. */
  readonly between: number;
  /** The store's time in milliseconds. */
  readonly now: number;
  /** Nothing as old is valid. */
  readonly floor: number;
}

/** What was found for one read. */
export interface FoundEntry {
  /** The entry; `undefined` where there is none that can be read. */
  readonly entry: WireEntry | undefined;
  /** Whether there is something that cannot be read. */
  readonly damaged: boolean;
  /** What is remembered of it. */
  readonly known: KnownEntry | undefined;
  /** Whether a script found it, which grants leases. */
  readonly byScript: boolean;
  /** The lease that was granted, 0 = none. */
  readonly lease: number;
  /** What the store found for the tags, if it looked them up. */
  readonly lookup: TagLookup | undefined;
}

/** What becomes of a read: an answer; or a script has to be asked. */
export type Judgement = Read | "ask script";

/** Why a lease was not granted although one was wanted: what the script could not know. */
interface Limit {
  readonly unusable: number;
  readonly refresh: number;
}

/**
 * Judges what was found. Where a lease is wanted, only a script can grant it, and is told what it cannot know by
 * itself.
 */
export function judgeRead(
  read: PendingRead,
  moment: Moment,
  found: FoundEntry,
  invalidations: InvalidationReplica,
  json: EntryReader["json"],
): Judgement {
  const { entry, damaged, byScript, lease } = found;
  const wantsLease = read.lease > 0 && lease === 0;
  if (!entry) {
    // What is damaged may look like an entry to the script: it holds up whoever would load, until it is replaced.
    const replaced = damaged && read.unusable !== Infinity && read.tries < TRIES;
    if (wantsLease && (replaced || !byScript)) {
      return askScript(read, { unusable: damaged ? Infinity : 0, refresh: 0 });
    }
    return answer(moment, "none", undefined, lease);
  }
  const verdict = verdictOn(entry, read, moment, found, invalidations);
  if (verdict === "unknown") return askScript(read, read);
  const state = stateOf(entry, moment.now, verdict);
  const held = lease === 0 && isHeld(entry, state, moment);
  if (wantsLease && state !== "fresh" && !held) {
    const limit = limitOf(entry, verdict);
    if (!byScript || isNews(limit, read)) return askScript(read, limit);
  }
  if (state !== "none") entry.readTogether(json);
  return answer(moment, state, entry, lease, held);
}

function verdictOn(
  entry: WireEntry,
  read: PendingRead,
  moment: Moment,
  { known, lookup }: FoundEntry,
  invalidations: InvalidationReplica,
): Verdict {
  if (entry.placeholder || entry.asOf <= moment.floor) return "invalid";
  const verdict = known
    ? invalidations.judgeStored(read.key, entry, known, lookup)
    : invalidations.judge(read.key, entry, lookup);
  if (verdict === "unknown") return verdict;
  if (entry.asOf <= read.unusable) return "invalid";
  return verdict === "valid" && entry.asOf <= read.refresh ? "stale" : verdict;
}

/**
 * Whether somebody is loading it, or has just failed to: a pause after a failure is for those who are served something
 * meanwhile.
 */
function isHeld(entry: WireEntry, state: EntryState, { epoch, now }: Moment): boolean {
  if (entry.leaseUntil <= now || entry.leaseUntil > now + LONGEST_LEASE || entry.epoch !== epoch) return false;
  return entry.leaseToken > 0 || (entry.leaseToken < 0 && state !== "none");
}

/** What the process knows of an entry and the script does not: it knows no patterns. */
function limitOf(entry: WireEntry, verdict: Verdict): Limit {
  if (entry.placeholder || verdict === "valid") return { unusable: 0, refresh: 0 };
  return verdict === "invalid" ? { unusable: entry.asOf, refresh: 0 } : { unusable: 0, refresh: entry.asOf };
}

function isNews(limit: Limit, read: PendingRead): boolean {
  if (read.tries >= TRIES || (limit.unusable === 0 && limit.refresh === 0)) return false;
  return limit.unusable !== read.unusable || limit.refresh !== read.refresh;
}

function askScript(read: PendingRead, { unusable, refresh }: Limit): "ask script" {
  read.byScript = true;
  read.unusable = unusable;
  read.refresh = refresh;
  return "ask script";
}

function answer(
  { epoch, clock, between, now }: Moment,
  state: EntryState,
  entry: WireEntry | undefined,
  lease: number,
  held: boolean = false,
): Read {
  return {
    epoch,
    clock,
    between,
    now,
    state,
    entry: state === "none" ? undefined : entry,
    lease,
    held: held ? entry!.leaseToken : 0,
    heldFor: held ? entry!.leaseUntil - now : 0,
  };
}
