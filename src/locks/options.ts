import { type Durability, durabilityOf } from "../redis/durability.ts";
import type { ReplicaWait } from "../redis/wait_for_replicas.ts";
import { describe } from "../util/describe.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { assertOptions, type OptionNames, optionNames } from "../util/option_names.ts";

/** On how many replicas a lock has to be before its job begins. */
export type LockDurability = Durability;

/** Options of a lock that does not wait. */
export interface TryLockOptions {
  /**
   * For how long it is held without being extended: so long do others wait for a process that died. It is extended
   * while it is held.
   * From 100 ms to a day.
   *
   * @default {"30s"}
   */
  ttl?: Duration | undefined;
  /**
   * Waits until replicas have the lock; `lock.replicated` tells whether they had it in time. Needs a Redis by its URL,
   * since it takes a connection of its own.
   */
  durability?: LockDurability | undefined;
  /** Ends the wait. A lock that is held stays so. */
  signal?: AbortSignal | undefined;
}

/** Options of a lock. */
export interface LockOptions extends TryLockOptions {
  /** How long to stand in line for it, up to a day; 0 = not at all. @default {"10s"} */
  wait?: Duration | undefined;
}

/** Options of a semaphore. */
export interface SemaphoreOptions extends Omit<LockOptions, "signal"> {
  /** How many may hold it at a time: from 1 to 1,000, the same in all processes. */
  permits: number;
}

/** Options of a job that one process of many runs. */
export interface OnceOptions extends TryLockOptions {
  /** How often at most: from a second to a year. */
  every: Duration;
  /**
   * What becomes of a run whose time passed without anybody calling: `run` makes up for it at the next call, once
   * however many were
   * missed; `skip` waits for the next time, and a call counts as in time for a tenth of `every`.
   *
   * @default {"run"}
   */
  missed?: "run" | "skip" | undefined;
}

/** Options of what is done once for all who ask. */
export interface IdempotentOptions extends Pick<TryLockOptions, "durability" | "signal"> {
  /** For how long what was done is kept: from a second to a year. @default {"24h"} */
  ttl?: Duration | undefined;
  /**
   * For how long nobody else may do it after the process that does it died, which nobody knows the end of; it is
   * extended while the job runs. From 100 ms to a day.
   *
   * @default {"30s"}
   */
  lockTtl?: Duration | undefined;
}

/** Options as they are used, in milliseconds. */
export interface LockTimes {
  readonly ttl: number;
  readonly wait: number;
  readonly signal: AbortSignal | undefined;
  readonly durability: ReplicaWait | undefined;
}

const DAY = 86_400_000;
const MOST_PERMITS = 1000;
const TRY: OptionNames = optionNames<TryLockOptions>({ ttl: true, durability: true, signal: true });
const LOCK: OptionNames = optionNames<LockOptions>({ ttl: true, wait: true, durability: true, signal: true });
const ONCE: OptionNames = optionNames<OnceOptions>({
  every: true,
  missed: true,
  ttl: true,
  durability: true,
  signal: true,
});
const IDEMPOTENT: OptionNames = optionNames<IdempotentOptions>({
  ttl: true,
  lockTtl: true,
  durability: true,
  signal: true,
});
const SEMAPHORE: OptionNames = optionNames<SemaphoreOptions>({
  permits: true,
  ttl: true,
  wait: true,
  durability: true,
});

/**
 * Checks options and fills in what is not given.
 *
 * @throws {TypeError | RangeError} If one cannot be used.
 */
export function timesOf(options: LockOptions, action: string, defaults: LockOptions = {}): LockTimes {
  assertOptions(options, LOCK, action);
  const { ttl = defaults.ttl ?? "30s", wait = defaults.wait ?? "10s", signal } = options;
  return {
    ttl: Math.ceil(toMilliseconds(ttl, "ttl", { min: 100, max: DAY })),
    wait: Math.ceil(toMilliseconds(wait, "wait", { max: DAY })),
    signal,
    durability: durabilityOf(options.durability === undefined ? defaults.durability : options.durability, action),
  };
}

/** The same where there is no wait. */
export function tryTimesOf(options: TryLockOptions, action: string, defaults: LockOptions = {}): LockTimes {
  assertOptions(options, TRY, action);
  return timesOf({ ...options, wait: 0 }, action, defaults);
}

/** The same for a semaphore. */
export function permitsOf(options: SemaphoreOptions): number {
  assertOptions(options, SEMAPHORE, "make a semaphore");
  const { permits } = options;
  const { ttl, wait, durability } = options;
  timesOf({ ttl, wait, durability }, "make a semaphore");
  if (Number.isInteger(permits) && permits >= 1 && permits <= MOST_PERMITS) return permits;
  const message = `Cannot make a semaphore: wanted "permits" from 1 to ${MOST_PERMITS}, got ${describe(permits)}`;
  throw typeof permits === "number" ? new RangeError(message) : new TypeError(message);
}

/** The same for a job that one of many runs. */
export function onceOf(options: OnceOptions): LockTimes & { readonly every: number; readonly missed: "run" | "skip" } {
  assertOptions(options, ONCE, "run once");
  const { every, missed = "run", ttl, durability, signal } = options;
  const milliseconds = Math.ceil(toMilliseconds(every, "every", { min: 1000, max: 366 * DAY }));
  if (missed !== "run" && missed !== "skip") {
    throw new TypeError(`Cannot run once: wanted "missed" to be "run" or "skip", got ${describe(missed)}`);
  }
  return { ...tryTimesOf({ ttl, durability, signal }, "run once"), every: milliseconds, missed };
}

/** The same for what is done once for all who ask. */
export function idempotentOf(options: IdempotentOptions): LockTimes & { readonly keepFor: number } {
  const action = "run what is idempotent";
  assertOptions(options, IDEMPOTENT, action);
  const { ttl = "24h", lockTtl, durability, signal } = options;
  const keepFor = Math.ceil(toMilliseconds(ttl, "ttl", { min: 1000, max: 366 * DAY }));
  return { ...tryTimesOf({ ttl: lockTtl, durability, signal }, action), keepFor };
}
