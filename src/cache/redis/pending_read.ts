import type { Deadline } from "../../redis/deadline.ts";
import type { KnownEntry } from "../known_entries.ts";
import type { Read, ReadOptions } from "../store.ts";

/**
 * What is known of the value at a key before it is asked for: `unknown` = the first bytes are asked for, which are all
 * of most entries · `long` = it is longer than those, so its length is asked for · `sized` = it can be fetched.
 */
export type Size = "unknown" | "long" | "sized";

/** How often a read is repeated before it counts as a miss; more than one repetition means heavy invalidation. */
export const TRIES = 5;

/** A read that waits for its turn or its reply, shared by all who want the same key in the same way. */
export class PendingRead {
  readonly key: string;
  /** Milliseconds that a lease lasts which is granted where nothing fresh is found; 0 = none is wanted. */
  readonly lease: number;
  /** Milliseconds that it lasts until it is first extended. */
  readonly proof: number;
  /** Whether it is taken from whoever holds it. */
  readonly steal: boolean;
  /** What is as old as this, or older, is known to be of no use. */
  unusable: number;
  /** What is as old as this, or older, is known to be stale. */
  refresh: number;
  /** Whether only a script can answer it: it grants leases, and looks up tags. */
  byScript: boolean;
  size: Size = "unknown";
  /** How many bytes are expected. */
  bytes = 0;
  /** What was remembered of the entry when it was sent. */
  known: KnownEntry | undefined;
  /** How often it was repeated because what it found could not be judged. */
  tries = 0;
  /** When it ends, by `performance.now()`; it counts from its first write. */
  deadline: number = Infinity;
  /** Deadlines of callers that had begun before. */
  begun: Deadline[] | undefined;
  /** Whether it did not fit into a reply of a script with others. */
  large = false;
  /** Whether it was given up. */
  ended = false;
  readonly promise: Promise<Read>;
  resolve!: (read: Read) => void;
  reject!: (error: unknown) => void;
  /** Those of its callers, if each has one. */
  #signals: AbortSignal[] | undefined;

  constructor(key: string, options: ReadOptions, within: Deadline | undefined) {
    const { lease = 0, proof = lease, unusable = 0, refresh = 0, steal = false, signal } = options;
    this.key = key;
    this.lease = lease;
    this.proof = Math.min(lease, proof);
    this.steal = steal;
    this.unusable = unusable;
    this.refresh = refresh;
    this.byScript = steal || this.limited;
    this.begun = within && [within];
    this.#signals = signal && [signal];
    this.promise = new Promise<Read>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Whether its caller knows something of the entry that the server does not. */
  get limited(): boolean {
    return this.unusable !== 0 || this.refresh !== 0;
  }

  /** One more caller who wants the same. */
  join(within: Deadline | undefined, signal: AbortSignal | undefined): void {
    if (within) (this.begun ??= []).push(within);
    if (signal) this.#signals?.push(signal);
    else this.#signals = undefined;
  }

  /** Gives it up if nobody waits for it any more, and tells whether it is over. */
  isOver(): boolean {
    if (this.ended) return true;
    if (!this.#signals?.every(({ aborted }) => aborted)) return false;
    this.ended = true;
    this.promise.catch(() => {});
    this.reject(this.#signals[0]!.reason);
    return true;
  }

  /** It goes with a later write, and has all of its time from then on. */
  begunLater(): void {
    this.deadline = Infinity;
    if (this.begun) { for (const within of this.begun) within.extend(Infinity); }
  }
}
