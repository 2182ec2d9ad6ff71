import type { ClosedBy } from "../errors.ts";
import type { ReplicaWait } from "../redis/wait_for_replicas.ts";

/** What is asked of a store: a place under a name, for a while. */
export interface TakeRequest {
  /** What is locked. */
  readonly key: string;
  /** Who asks: whose instance it is, a number, and the `ttl` in milliseconds, with `|` between. */
  readonly owner: string;
  /** Milliseconds that it is held without being extended. */
  readonly ttl: number;
  /** How many may hold it at a time. */
  readonly permits: number;
  /** Milliseconds that the owner waits in line; 0 = not at all. */
  readonly wait: number;
}

/**
 * What a store says: the fencing number of who holds it now, or in how many milliseconds a place is free if nobody
 * extends it, and when it said so, in milliseconds of its clock.
 */
export type TakeAnswer =
  | { readonly token: number }
  | { readonly retryIn: number; readonly at?: number };

/** What was given to somebody who waited: its fencing number, and when, in milliseconds of the store's clock. */
export interface Grant {
  /** The fencing number. */
  readonly token: number;
  /** When. */
  readonly at: number;
}

/** What is extended. */
export type ExtendRequest = Pick<TakeRequest, "key" | "owner" | "ttl">;

/** When a job ran, and who ran it. */
export interface LastRun extends Pick<TakeRequest, "key" | "owner"> {
  /** When it began, in milliseconds of the server's clock. */
  readonly at: number;
  /** For how many milliseconds that is kept. */
  readonly keep: number;
}

/** What was done under a name, and who did it. */
export interface KeptValue extends Pick<TakeRequest, "key" | "owner"> {
  /** What is kept. */
  readonly value: Uint8Array;
  /** For how many milliseconds. */
  readonly for: number;
}

/** Told what concerns those who wait here. */
export interface LockListener {
  /** An owner was given what it waits for. Without the grant it has to ask again, which says since when. */
  granted(owner: string, grant?: Grant): boolean;
  /** Something may have been missed: whoever waits has to ask again. */
  again(): void;
}

/** Where locks are. Each call is one atomic step, by the clock of the store. */
export interface LockStore extends AsyncDisposable {
  /** What kind of store it is. */
  readonly kind: "memory" | "redis";
  /** Milliseconds after which an operation is given up, if it can be. */
  readonly timeout?: number;
  /** Listens for an instance, once; resolves when nothing can be missed any more. */
  listen(instance: string, listener: LockListener): Promise<void>;
  /**
   * Takes a place, or stands in line for one. Who has one already gets it anew, with the same number.
   *
   * @throws {UnavailableError} If the store does not answer in time.
   */
  take(request: TakeRequest, signal?: AbortSignal): Promise<TakeAnswer>;
  /** Gives a place up, or leaves the line; tells whether there was a place. The next in line gets it. */
  leave(request: Omit<TakeRequest, "wait" | "ttl">): Promise<boolean>;
  /** When the job of a name ran last, and what time it is now, in milliseconds of the server's clock. */
  lastRun(key: string, signal?: AbortSignal): Promise<{ readonly at: number | undefined; readonly now: number }>;
  /** Keeps for so long when it ran last, if the owner still holds it; tells whether it did. */
  keepRun(run: LastRun): Promise<boolean>;
  /** What is kept under a name. */
  kept(key: string, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /**
   * Keeps something under a name, if the owner still holds it, or nobody holds it and nothing is kept; tells whether it
   * did.
   */
  keep(kept: KeptValue): Promise<boolean>;
  /** Says that it cannot wait for replicas, where it has some but cannot. */
  assertReplicates?(): void;
  /**
   * Extends what is held, and waits until so many replicas have it; tells whether they had it in time. Without it there
   * are none.
   */
  replicate?(request: ExtendRequest, wait: ReplicaWait): Promise<boolean>;
  /** Extends what is still held, and tells of each whether it was. */
  extend(requests: readonly ExtendRequest[]): Promise<boolean[]>;
  /** Ends it. */
  [Symbol.asyncDispose](by?: ClosedBy): PromiseLike<void>;
}
