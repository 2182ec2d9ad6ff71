import { describe } from "../util/describe.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { assertKey } from "../util/keys.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { Serializer } from "../values/serializer.ts";
import { isStandardSchema, type StandardSchema } from "../values/standard_schema.ts";

/** Options of all streams. */
export interface StreamsOptions {
  /** How values are written. @default {that of the cache, or `richSerializer`} */
  serializer?: Serializer | undefined;
  /** How many bytes a message may have, from 1 to 64 MiB. @default {1_048_576} */
  maxBytes?: number | undefined;
}

/**
 * Options of a stream.
 *
 * @typeParam Value What is added there.
 */
export interface StreamOptions<Value> {
  /** Checks what is handed out. A message that it refuses is an item that says so. */
  schema?: StandardSchema<unknown, Value> | undefined;
  /**
   * How many messages are kept, from 1 to a billion: with each that is added the oldest go, handled or not. Roughly:
   * some hundred more may be kept, since Redis removes them in blocks (`MAXLEN ~`).
   *
   * @default {all, until `trim()`}
   */
  maxLength?: number | undefined;
  /** How many dead letters are kept, roughly: from 1 to a billion. @default {100_000} */
  maxDead?: number | undefined;
  /** How many bytes a message may have, from 1 to 64 MiB. @default {1_048_576} */
  maxBytes?: number | undefined;
}

/** Options of a message. */
export interface AddOptions {
  /** Messages of one key are handled one after the other, in the order in which they were added. Up to 512 bytes. */
  key?: string | undefined;
  /**
   * A name, up to 512 bytes, under which it is added once: who adds it again within `idWindow` is given the id of the
   * first. So an `add()` that rejected since Redis was away can be repeated.
   */
  id?: string | undefined;
  /** For how long an `id` is remembered: from a second to a year. @default {"1h"} */
  idWindow?: Duration | undefined;
  /** Ends the wait. The message may have been added all the same. */
  signal?: AbortSignal | undefined;
}

/** Options of a consumer. */
export interface ConsumeOptions {
  /**
   * Ends it: nothing more is taken, and what is not acknowledged goes to others. A handler that is at work ends first,
   * and so does the body of a loop.
   */
  signal?: AbortSignal | undefined;
  /**
   * How many messages are handled at a time, from 1 to 10,000. A loop is given so many that are not acknowledged.
   *
   * @default {1 with a handler, 100 for a loop}
   */
  concurrency?: number | undefined;
  /**
   * How many messages are fetched ahead at most, from 1 to 10,000: as many as are handled in 50 ms, so that slow ones
   * are left to other consumers.
   *
   * @default {100}
   */
  batch?: number | undefined;
  /**
   * Where a group begins that is not there yet: with the first message that is kept (`"0"`), with those that are added
   * from now on (`"new"`), or with those after an id.
   *
   * @default {"0"}
   */
  from?: string | undefined;
  /**
   * How long others wait for a process that died: from 100 ms to an hour. It is extended while the process lives, so a
   * slow handler loses nothing.
   *
   * @default {"10s"}
   */
  lease?: Duration | undefined;
  /** How often a message is tried before it is given up, from 1 to 1,000. @default {5} */
  maxAttempts?: number | undefined;
  /**
   * How long to wait before the next attempt, up to a day: a duration, which is doubled with each attempt, up to 5
   * minutes; or a function of the attempt that failed, from 1, and its error.
   *
   * @default {"1s"}
   */
  retryDelay?: Duration | ((attempt: number, error: unknown) => Duration) | undefined;
}

/** Options of a range of messages. */
export interface ReadOptions {
  /** The first id, or milliseconds since 1970 as text, or a `Date`. @default {the first message} */
  from?: string | Date | undefined;
  /** The id before the first. Not beside `from`. */
  after?: string | undefined;
  /** The last id. @default {the last message} */
  to?: string | Date | undefined;
  /** How many at most: from 1. @default {all} */
  limit?: number | undefined;
  /** Waits for more, for ever. Not beside `to`. @default {false} */
  follow?: boolean | undefined;
  /** Ends it. */
  signal?: AbortSignal | undefined;
}

/** Options of `trim()`. */
export interface TrimOptions {
  /** How many are left, exactly: from 0. */
  maxLength?: number | undefined;
  /** An id or a time: what is older goes. */
  before?: string | Date | undefined;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
}

/** Options of a consumer as they are used, in milliseconds. */
export interface Consuming {
  readonly concurrency: number;
  readonly batch: number;
  readonly from: string;
  readonly lease: number;
  readonly maxAttempts: number;
  readonly delayOf: (attempt: number, error: unknown) => number;
}

const MIB = 1_048_576;
/** How many bytes a message may have at most. */
export const MOST_MESSAGE_BYTES: number = 64 * MIB;
const BILLION = 1_000_000_000;
const MOST_AT_A_TIME = 10_000;
const DAY = 86_400_000;
const LONGEST_DELAY = 300_000;
const ID = /^\d{1,16}(-\d{1,16})?$/;

const STREAMS = optionNames<StreamsOptions>({ serializer: true, maxBytes: true });
const STREAM = optionNames<StreamOptions<unknown>>({ schema: true, maxLength: true, maxDead: true, maxBytes: true });
const ADD = optionNames<AddOptions>({ key: true, id: true, idWindow: true, signal: true });
const CONSUME = optionNames<ConsumeOptions>({
  signal: true,
  concurrency: true,
  batch: true,
  from: true,
  lease: true,
  maxAttempts: true,
  retryDelay: true,
});
const READ = optionNames<ReadOptions>({ from: true, after: true, to: true, limit: true, follow: true, signal: true });
const TRIM = optionNames<TrimOptions>({ maxLength: true, before: true, signal: true });
const SIGNAL = optionNames<{ signal?: AbortSignal }>({ signal: true });

/** Checks the options of all streams; gives how many bytes a message may have. */
export function maxBytesOf(options: StreamsOptions): number {
  assertOptions(options, STREAMS, "make streams");
  return whole("make streams", "maxBytes", options.maxBytes ?? MIB, 1, MOST_MESSAGE_BYTES);
}

/** Checks the options of a stream. */
export function streamOptionsOf(
  options: StreamOptions<never>,
  defaults: { maxBytes: number },
): { maxLength: number | undefined; maxDead: number; maxBytes: number } {
  const action = "make a stream";
  assertOptions(options, STREAM, action);
  const { schema, maxLength, maxDead = 100_000, maxBytes = defaults.maxBytes } = options as StreamOptions<unknown>;
  if (schema !== undefined && !isStandardSchema(schema)) {
    throw new TypeError(`Cannot ${action}: wanted a Standard Schema as "schema", got ${describe(schema)}`);
  }
  return {
    maxLength: maxLength === undefined ? undefined : whole(action, "maxLength", maxLength, 1, BILLION),
    maxDead: whole(action, "maxDead", maxDead, 1, BILLION),
    maxBytes: whole(action, "maxBytes", maxBytes, 1, MOST_MESSAGE_BYTES),
  };
}

/** Checks the options of a message. */
export function addOptionsOf(
  options: AddOptions,
): { key: string | undefined; once: { id: string; for: number } | undefined } {
  const action = "add to a stream";
  assertOptions(options, ADD, action);
  const { key, id, idWindow } = options;
  if (key !== undefined) assertKey(key, undefined, action);
  if (id !== undefined) assertKey(id, undefined, action, "id");
  const milliseconds = toMilliseconds(idWindow ?? "1h", "idWindow", { min: 1000, max: 366 * DAY });
  return { key, once: id === undefined ? undefined : { id, for: milliseconds } };
}

/** Checks the options of a consumer. */
export function consumingOf(options: ConsumeOptions, concurrencyByDefault: number): Consuming {
  const action = "consume a stream";
  assertOptions(options, CONSUME, action);
  const { concurrency = concurrencyByDefault, batch = 100, from = "0", lease = "10s", maxAttempts = 5 } = options;
  const { retryDelay = "1s" } = options;
  if (typeof from !== "string" || !(from === "new" || ID.test(from))) {
    throw new TypeError(`Cannot ${action}: wanted "0", "new" or the id of a message as "from", got ${describe(from)}`);
  }
  const limits = { max: DAY };
  const first = typeof retryDelay === "function" ? 0 : toMilliseconds(retryDelay, "retryDelay", limits);
  return {
    concurrency: whole(action, "concurrency", concurrency, 1, MOST_AT_A_TIME),
    batch: whole(action, "batch", batch, 1, MOST_AT_A_TIME),
    from: from === "new" ? "$" : from,
    lease: Math.ceil(toMilliseconds(lease, "lease", { min: 100, max: 3_600_000 })),
    maxAttempts: whole(action, "maxAttempts", maxAttempts, 1, 1000),
    delayOf: typeof retryDelay === "function"
      ? (attempt, error) => toMilliseconds(retryDelay(attempt, error), "retryDelay", limits)
      : (attempt) => Math.max(first, Math.min(LONGEST_DELAY, first * 2 ** Math.min(attempt - 1, 30))),
  };
}

/** A range of messages as it is read. */
export interface Range {
  readonly from: string;
  readonly to: string;
  readonly limit: number;
  readonly follow: boolean;
}

/** Checks the options of a range. */
export function rangeOf(options: ReadOptions): Range {
  const action = "read a stream";
  assertOptions(options, READ, action);
  const { from, after, to, limit, follow = false } = options;
  if (typeof follow !== "boolean") {
    throw new TypeError(`Cannot ${action}: wanted a boolean as "follow", got ${describe(follow)}`);
  }
  if (from !== undefined && after !== undefined) {
    throw new TypeError(`Cannot ${action}: wanted "from" or "after", got both`);
  }
  if (follow && to !== undefined) throw new TypeError(`Cannot ${action}: wanted "to" or "follow", got both`);
  return {
    from: after === undefined ? idOf(action, "from", from, "-") : `(${idOf(action, "after", after, "")}`,
    to: idOf(action, "to", to, "+"),
    limit: limit === undefined ? Infinity : whole(action, "limit", limit, 1, Number.MAX_SAFE_INTEGER),
    follow,
  };
}

/** Checks how a stream is trimmed. */
export function trimOf(options: TrimOptions): { length: number } | { before: string } | "handled" {
  const action = "trim a stream";
  assertOptions(options, TRIM, action);
  const { maxLength, before } = options;
  if (maxLength !== undefined && before !== undefined) {
    throw new TypeError(`Cannot ${action}: wanted "maxLength" or "before", got both`);
  }
  if (before !== undefined) return { before: idOf(action, "before", before, "") };
  return maxLength === undefined ? "handled" : { length: whole(action, "maxLength", maxLength, 0, BILLION) };
}

/** Checks how many are asked for. */
export function limitOf(options: { limit?: number; signal?: AbortSignal }, action: string, byDefault: number): number {
  assertOptions(options, LIMIT, action);
  return whole(action, "limit", options.limit ?? byDefault, 1, MOST_AT_A_TIME);
}
const LIMIT = optionNames<{ limit?: number; signal?: AbortSignal }>({ limit: true, signal: true });

/** Checks options that are a signal. */
export function assertSignalOnly(options: { signal?: AbortSignal }, action: string): void {
  assertOptions(options, SIGNAL, action);
}

/** Checks the id of a message. */
export function assertId(id: unknown, action: string): asserts id is string {
  if (typeof id === "string" && ID.test(id)) return;
  throw new TypeError(`Cannot ${action}: wanted the id of a message such as "1700000000000-0", got ${describe(id)}`);
}

function idOf(action: string, name: string, given: unknown, byDefault: string): string {
  if (given === undefined) return byDefault;
  if (given instanceof Date && given.getTime() >= 0) return String(given.getTime());
  if (typeof given === "string" && ID.test(given)) return given;
  const wanted = `wanted the id of a message or a Date as "${name}"`;
  throw new TypeError(`Cannot ${action}: ${wanted}, got ${describe(given)}`);
}

function whole(action: string, name: string, given: unknown, least: number, most: number): number {
  if (Number.isInteger(given) && (given as number) >= least && (given as number) <= most) return given as number;
  const message = `Cannot ${action}: wanted a whole number from ${least} to ${most} as "${name}", got ${
    describe(given)
  }`;
  throw typeof given === "number" ? new RangeError(message) : new TypeError(message);
}
