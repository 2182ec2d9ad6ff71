import type { InvalidationMode } from "../store.ts";

/** Most keys, tags and patterns that wait at a time; more are replaced by one invalidation of everything. */
const MOST = 10_000;

/** Invalidations that could not reach the store, kept until they can. Bounded, and never loses one. */
export class InvalidationQueue {
  /** Keys to remove. */
  keys: Set<string> = new Set();
  /** Tags to invalidate, by mode. */
  tags: Record<InvalidationMode, Set<string>> = { hard: new Set(), stale: new Set() };
  /** Patterns to invalidate. */
  patterns: Set<string> = new Set();
  /** Whether everything is to be invalidated. */
  all = false;

  /** How many wait. */
  get size(): number {
    return this.keys.size + this.tags.hard.size + this.tags.stale.size + this.patterns.size + (this.all ? 1 : 0);
  }

  /** Keeps some. */
  add(
    what: { keys?: readonly string[]; tags?: readonly string[]; mode?: InvalidationMode; patterns?: readonly string[] },
  ): void {
    if (this.all) return;
    for (const key of what.keys ?? []) this.keys.add(key);
    for (const tag of what.tags ?? []) this.tags[what.mode ?? "hard"].add(tag);
    for (const pattern of what.patterns ?? []) this.patterns.add(pattern);
    if (this.size > MOST) this.addAll();
  }

  /** Keeps one invalidation of everything, in place of all others. */
  addAll(): void {
    this.keys.clear();
    this.tags.hard.clear();
    this.tags.stale.clear();
    this.patterns.clear();
    this.all = true;
  }

  /** Empties the queue into a new one, whose content is to be replayed. */
  take(): InvalidationQueue {
    const taken = new InvalidationQueue();
    [taken.keys, this.keys] = [this.keys, taken.keys];
    [taken.tags, this.tags] = [this.tags, taken.tags];
    [taken.patterns, this.patterns] = [this.patterns, taken.patterns];
    [taken.all, this.all] = [this.all, false];
    return taken;
  }

  /** Puts back what could not be replayed. */
  putBack(other: InvalidationQueue): void {
    if (other.all) return this.addAll();
    this.add({ keys: [...other.keys], tags: [...other.tags.hard], mode: "hard", patterns: [...other.patterns] });
    this.add({ tags: [...other.tags.stale], mode: "stale" });
  }
}
