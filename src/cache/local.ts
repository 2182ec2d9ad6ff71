import { type Duration, TIME_TO_LIVE, toMilliseconds } from "../util/duration.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { BoundedLru } from "./bounded_lru.ts";
import { NEVER } from "./entry.ts";
import { FORMAT } from "../values/serializer.ts";
import type { ChangeListener, Changes, Read } from "./store.ts";
import type { Found } from "./values.ts";
import { versionIn } from "./version.ts";

/** How copies of entries are kept in this process. */
export interface LocalOptions {
  /** Most copies; the least recently used goes. @default {10_000} */
  maxEntries?: number | undefined;
  /** Most bytes of all copies together, about. @default {67_108_864} (64 MiB) */
  maxBytes?: number | undefined;
  /** How long a copy is used at most, though never longer than its entry is fresh. @default {"1m"} */
  ttl?: Duration | undefined;
  /**
   * How callers are kept from changing each other's values. `"freeze"`: plain objects and arrays are frozen and shared,
   * which is fastest; all else, such as a `Map`, is made anew for each caller. `"clone"`: everything is made anew for
   * each caller.
   *
   * @default {"freeze"}
   */
  protect?: "freeze" | "clone" | undefined;
}

const LOCAL = optionNames<LocalOptions>({ maxEntries: true, maxBytes: true, ttl: true, protect: true });

/** A copy of an entry. */
export interface Copy {
  /** Which life of the invalidation records it belongs to. */
  readonly epoch: number;
  /** The place in the store's order up to which it is known to be valid: that of the read which found it. */
  readonly asOf: number;
  /** The place of the entry itself. */
  readonly writtenAsOf: number;
  /** Its tags. */
  readonly tags: readonly string[];
  /** Its version. */
  readonly version: string | undefined;
  /** By `performance.now()`, when it stops being fresh. */
  readonly until: number;
  /** By `performance.now()`, when it stops being used. */
  readonly usedUntil: number;
  /** Milliseconds that the loader took. */
  readonly loadTime: number;
  /** The frozen value, if it is shared. */
  readonly shared: Found<unknown>;
  /** The encoded value, if it is not. */
  readonly payload: Uint8Array;
  /** How it is encoded. */
  readonly flags: number;
  /** Length of the entry in bytes. */
  readonly bytes: number;
}

/** Keys of which the time of the last change is remembered while reads are on their way. */
const CHANGES_KEPT = 10_000;
const NOTHING = new Uint8Array(0);

/**
 * Copies of entries in this process (L1). A copy is used only while the process is in touch with the store, so it is at
 * most a second behind other processes, and never behind this one.
 */
export class Local implements ChangeListener {
  readonly #copies: BoundedLru<Copy>;
  readonly #ttl: number;
  readonly #freeze: boolean;
  #changes: Changes | undefined;
  #forgotten = -1;
  #date = 0;
  #now = 0;
  readonly #changed = new Map<string, number>();

  private constructor(options: LocalOptions) {
    const { maxEntries = 10_000, maxBytes = 64 * 2 ** 20, ttl = "1m", protect = "freeze" } = options;
    this.#ttl = toMilliseconds(ttl, "local.ttl", TIME_TO_LIVE) || Infinity;
    this.#freeze = protect === "freeze";
    this.#copies = new BoundedLru<Copy>({
      maxEntries,
      maxBytes,
      size: (copy, key) => 250 + key.length * 2 + copy.bytes,
    });
  }

  /** Makes the copies for a store; `undefined` where copies make no sense. */
  static of(
    options: LocalOptions,
    changesOf: (listener: ChangeListener) => Changes | undefined,
  ): Local | undefined {
    assertOptions(options, LOCAL, 'use "local"');
    const local = new Local(options);
    local.#changes = changesOf(local);
    return local.#changes && local;
  }

  /** Number of copies. */
  get size(): number {
    return this.#copies.size;
  }

  /** The copy of an entry that is fresh, if this process is in touch. */
  get(key: string): Copy | undefined {
    const copy = this.#copies.get(key);
    if (!copy) return undefined;
    const now = this.#clock();
    if (!this.#changes!.inTouch(now)) return undefined;
    if (now < copy.usedUntil && this.#changes!.judge(key, copy) === "valid") return copy;
    this.#copies.delete(key);
  }

  /**
   * `performance.now()`, at most a millisecond old: asking it costs a quarter of a hit, `Date.now()` next to nothing.
   */
  #clock(): number {
    const date = Date.now();
    if (date !== this.#date) {
      this.#date = date;
      this.#now = performance.now();
    }
    return this.#now;
  }

  /** Call it before a read, and hand what it gives to `fill`. */
  mark(): number {
    return performance.now();
  }

  /**
   * Keeps a copy of what a read found, unless the key changed since the read was sent: its reply may have been
   * overtaken.
   *
   * @param key The key.
   * @param read What was found, fresh.
   * @param value Its value, which is frozen if that is how values are protected.
   * @param mark What {@linkcode Local.mark} gave before the read.
   */
  fill(key: string, read: Read, value: unknown, mark: number): void {
    const entry = read.entry!;
    if (mark <= this.#forgotten || (this.#changed.get(key) ?? -1) >= mark) return;
    if (!this.#changes!.inTouch(performance.now())) return;
    // Counted from before the read: the store's time in the reply is a while ago.
    const left = entry.freshUntil >= NEVER ? Infinity : entry.freshUntil - read.now;
    const shared = this.#freeze && (entry.flags & 7) === FORMAT.json ? { value: freeze(value) } : undefined;
    this.#copies.set(key, {
      epoch: entry.epoch,
      asOf: read.between ?? read.clock,
      writtenAsOf: entry.asOf,
      tags: entry.tags,
      version: versionIn(entry),
      until: mark + left,
      usedUntil: mark + Math.min(left, this.#ttl),
      loadTime: entry.loadTime,
      shared,
      // A copy of its own: the bytes are a view of the reply to a whole batch.
      payload: shared ? NOTHING : entry.payload.slice(),
      bytes: entry.bytes,
      flags: entry.flags,
    });
  }

  /**
   * The value as who comes later will get it from a copy, so that a change of it shows at once and not only then.
   *
   * @param value A value that nobody else has.
   * @param flags How it is encoded.
   */
  guarded<T>(value: T, flags: number): T {
    return this.#freeze && (flags & 7) === FORMAT.json ? freeze(value) as T : value;
  }

  key(key: string): void {
    this.#copies.delete(key);
    this.#changed.delete(key);
    this.#changed.set(key, performance.now());
    if (this.#changed.size <= CHANGES_KEPT) return;
    for (const [oldest, at] of this.#changed) {
      this.#changed.delete(oldest);
      this.#forgotten = at;
      break;
    }
  }

  all(): void {
    this.#copies.clear();
    this.#changed.clear();
    this.#forgotten = performance.now();
  }
}

/** Freezes plain data through and through. */
function freeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
