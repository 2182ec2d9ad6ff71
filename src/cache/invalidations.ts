import { compileGlob } from "../util/glob.ts";
import type { StoredEntry } from "./entry.ts";
import type { KnownEntry } from "./known_entries.ts";

/** What invalidations say about an entry: `unknown` = they happened before this process kept track. */
export type Verdict = "valid" | "stale" | "invalid" | "unknown";

/** What an entry or a loaded value is judged by. */
export type Judged = Pick<StoredEntry, "epoch" | "asOf" | "tags">;

/** The newest invalidations of an entry's tags, looked up by the store itself. */
export interface TagLookup {
  /** Clock of the newest hard invalidation, 0 = none. */
  readonly hard: number;
  /** Clock of the newest stale invalidation, 0 = none. */
  readonly stale: number;
}

interface Barrier {
  readonly at: number;
  readonly matches: (key: string) => boolean;
}

/** How many tags of each kind a process keeps track of. */
const TAGS_KEPT = 10_000;
/** How many patterns a process keeps track of; more than the store's records ever hold. */
const BARRIERS_KEPT = 2_000;

/**
 * What this process knows of the invalidations in a store: enough to judge most entries without asking. It is a copy of
 * the newest part of the records, from `floor` on; about what is older it says `unknown`, never `valid`.
 */
export class InvalidationReplica {
  /** Which life of the records this copy belongs to. */
  epoch = 0;
  /** Everything up to this clock has been heard of. -1 = nothing yet. */
  seen = -1;
  /** Clock up to which the copy may be incomplete. */
  floor = 0;
  /** Clock of the newest invalidation of any kind. */
  newest = 0;
  /**
   * How often anything was added or forgotten: as long as it stays, so does what {@linkcode InvalidationReplica.judge}
   * said.
   */
  changes = 0;
  readonly #kept: number;
  readonly #hard = new Map<string, number>();
  readonly #stale = new Map<string, number>();
  /** By glob. */
  readonly #barriers = new Map<string, Barrier>();
  /** The same, the newest first; made when it is wanted. */
  #ordered: readonly Barrier[] | undefined = [];

  constructor(options: { kept?: number } = {}) {
    this.#kept = options.kept ?? TAGS_KEPT;
  }

  /** Number of records kept. */
  get size(): number {
    return this.#hard.size + this.#stale.size + this.#barriers.size;
  }

  /**
   * Forgets all up to `seen` and starts over there; which tags were invalidated up to `floor` is unknown from now on.
   * What was told since then stays: a reply may be overtaken by messages.
   */
  restart(epoch: number, seen: number, newest: number, floor: number = seen): void {
    this.epoch = epoch;
    this.seen = seen;
    this.floor = floor;
    this.newest = newest;
    this.changes++;
    for (const map of [this.#hard, this.#stale]) {
      for (const [tag, at] of map) {
        if (at > seen) this.newest = Math.max(this.newest, at);
        else map.delete(tag);
      }
    }
    for (const [glob, { at }] of this.#barriers) {
      if (at > seen) this.newest = Math.max(this.newest, at);
      else this.#barriers.delete(glob);
    }
    this.#ordered = undefined;
  }

  /** Adds the invalidation of a tag. */
  addTag(tag: string, mode: "hard" | "stale", at: number): void {
    const map = mode === "hard" ? this.#hard : this.#stale;
    if ((map.get(tag) ?? 0) >= at) return;
    this.changes++;
    // Deleting first keeps the map in the order of the clock, oldest first.
    map.delete(tag);
    map.set(tag, at);
    this.newest = Math.max(this.newest, at);
    if (map.size > this.#kept) this.#forget(map);
  }

  /** Adds an invalidation by pattern. */
  addBarrier(glob: string, at: number): void {
    const known = this.#barriers.get(glob);
    if (known && known.at >= at) return;
    this.changes++;
    this.#barriers.set(glob, { at, matches: known?.matches ?? compileGlob(glob) });
    this.#ordered = undefined;
    this.newest = Math.max(this.newest, at);
    // Those whose entries are gone have left the store's records too: reading them all again keeps only the live ones.
    if (this.#barriers.size > BARRIERS_KEPT) this.epoch = 0;
  }

  /**
   * Judges an entry.
   *
   * @param key Its key, for invalidations by pattern.
   * @param entry The entry, or a loaded value with the place from which it was loaded.
   * @param lookup What the store found for its tags; without it an entry older than `floor` is `unknown`.
   */
  judge(key: string, entry: Judged, lookup?: TagLookup): Verdict {
    if (entry.epoch !== this.epoch) return "invalid";
    const asOf = entry.asOf;
    if (asOf > this.newest) return "valid";
    this.#ordered ??= [...this.#barriers.values()].sort((a, b) => b.at - a.at);
    for (const barrier of this.#ordered) {
      if (barrier.at < asOf) break;
      if (barrier.matches(key)) return "invalid";
    }
    const tags = entry.tags;
    if (tags.length === 0) return "valid";
    let stale = false;
    if (lookup) {
      if (lookup.hard >= asOf) return "invalid";
      stale = lookup.stale >= asOf;
    } else if (asOf <= this.floor) {
      return "unknown";
    }
    for (const tag of tags) {
      if ((this.#hard.get(tag) ?? 0) >= asOf) return "invalid";
      if ((this.#stale.get(tag) ?? 0) >= asOf) stale = true;
    }
    return stale ? "stale" : "valid";
  }

  /** Whether all that the records have was heard of, as their marks have it. */
  covers({ epoch, newest, last, floor }: { epoch: number; newest: number; last: number; floor: number }): boolean {
    // Where a mark is beyond the last one, somebody else has written to the records.
    return epoch !== 0 && epoch === this.epoch && newest <= this.seen && newest <= last && floor <= last;
  }

  /**
   * Judges an entry that is stored, and remembers it if it is valid: its place in the order is its own, so until
   * something is invalidated it need not be looked at again. What somebody has loaded or copied is as old as a read,
   * which others share: see {@linkcode InvalidationReplica.judge}.
   *
   * @param key Its key.
   * @param entry The entry.
   * @param known What is remembered of it.
   * @param lookup What the store found for its tags.
   */
  judgeStored(key: string, entry: Judged, known: KnownEntry, lookup?: TagLookup): Verdict {
    const { changes } = this;
    if (known.validAt === changes && known.asOf === entry.asOf && entry.epoch === this.epoch) return "valid";
    const verdict = this.judge(key, entry, lookup);
    if (verdict === "valid") {
      known.asOf = entry.asOf;
      known.validAt = changes;
    }
    return verdict;
  }

  /** Drops the older half and remembers that the copy no longer covers it. */
  #forget(map: Map<string, number>): void {
    let excess = map.size - Math.floor(this.#kept / 2);
    for (const [tag, at] of map) {
      if (excess-- <= 0) break;
      map.delete(tag);
      this.floor = Math.max(this.floor, at);
    }
  }
}
