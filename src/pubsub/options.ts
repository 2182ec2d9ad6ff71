import { describe } from "../util/describe.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { Serializer } from "../values/serializer.ts";
import { isStandardSchema, type StandardSchema } from "../values/standard_schema.ts";

/** Options of all channels, in `connect({ pubsub })`. */
export interface PubSubOptions {
  /** How values are written. @default {that of the cache, or `richSerializer`} */
  serializer?: Serializer | undefined;
  /** How many bytes a message may have, from 1 to 64 MiB. @default {1_048_576} */
  maxBytes?: number | undefined;
}

/**
 * Options of a channel.
 *
 * @typeParam Value What is published there.
 */
export interface ChannelOptions<Value> {
  /** Checks what arrives. A message that it refuses is an item that says so. */
  schema?: StandardSchema<unknown, Value> | undefined;
}

/** What becomes of a message that does not fit into the buffer. */
export type OnFull = "drop-oldest" | "drop-newest" | "error";

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Ends it: the loop is over. */
  signal?: AbortSignal | undefined;
  /** How many messages wait for a loop that is slow: from 1 to 1,000,000, and 64 MiB at most. @default {1000} */
  buffer?: number | undefined;
  /**
   * What becomes of a message that does not fit: `drop-oldest` drops the one that has waited longest, `drop-newest`
   * this one, and an item tells how many were dropped there; `error` has the loop throw a `ChannelFullError`.
   *
   * @default {"drop-oldest"}
   */
  onFull?: OnFull | undefined;
}

const MIB = 1_048_576;
const MOST_BYTES = 64 * MIB;
const MOST_BUFFERED = 1_000_000;
const PUBSUB = optionNames<PubSubOptions>({ serializer: true, maxBytes: true });
const CHANNEL = optionNames<ChannelOptions<unknown>>({ schema: true });
const SUBSCRIBE = optionNames<SubscribeOptions>({ signal: true, buffer: true, onFull: true });
const PUBLISH = optionNames<{ signal?: AbortSignal }>({ signal: true });
const ON_FULL: readonly unknown[] = ["drop-oldest", "drop-newest", "error"] satisfies OnFull[];

/** Checks the options of all channels; gives how many bytes a message may have. */
export function maxBytesOf(options: PubSubOptions): number {
  assertOptions(options, PUBSUB, "make channels");
  return whole("make channels", "maxBytes", options.maxBytes ?? MIB, MOST_BYTES);
}

/** Checks the options of a channel. */
export function assertChannelOptions(options: ChannelOptions<never>): void {
  assertOptions(options, CHANNEL, "make a channel");
  const { schema } = options as { schema?: unknown };
  if (schema === undefined || isStandardSchema(schema)) return;
  throw new TypeError(`Cannot make a channel: wanted a Standard Schema as "schema", got ${describe(schema)}`);
}

/** Checks the options of a subscription. */
export function subscribeOptionsOf(options: SubscribeOptions): { buffer: number; onFull: OnFull } {
  assertOptions(options, SUBSCRIBE, "subscribe");
  const { buffer = 1000, onFull = "drop-oldest" } = options;
  if (!ON_FULL.includes(onFull)) {
    const wanted = 'wanted "onFull" to be "drop-oldest", "drop-newest" or "error"';
    throw new TypeError(`Cannot subscribe: ${wanted}, got ${describe(onFull)}`);
  }
  return { buffer: whole("subscribe", "buffer", buffer, MOST_BUFFERED), onFull };
}

/** Checks the options of a message. */
export function assertPublishOptions(options: { signal?: AbortSignal }): void {
  assertOptions(options, PUBLISH, "publish");
}

function whole(action: string, name: string, given: unknown, most: number): number {
  if (Number.isInteger(given) && (given as number) >= 1 && (given as number) <= most) return given as number;
  const message = `Cannot ${action}: wanted a whole number from 1 to ${most} as "${name}", got ${describe(given)}`;
  throw typeof given === "number" ? new RangeError(message) : new TypeError(message);
}
