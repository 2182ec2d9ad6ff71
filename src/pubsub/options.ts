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
  /** How many messages wait for a slow loop, from 1 to 1,000,000, where it does not say itself. @default {1000} */
  buffer?: number | undefined;
  /** What becomes of a message that does not fit, where the loop does not say itself. @default {"drop-oldest"} */
  onFull?: OnFull | undefined;
}

/**
 * Options of a channel.
 *
 * @typeParam Value What is published there.
 */
export interface ChannelOptions<Value> {
  /** Checks what arrives. A message that it refuses is an item that says so. */
  schema?: StandardSchema<unknown, Value> | undefined;
  /**
   * Whether it is a sharded channel (Redis 7): on a cluster, its messages go to the node of its slot alone, as opposed
   * to all nodes. It has nothing to do with a plain channel of the same name, and no pattern finds it.
   *
   * @default {false}
   */
  sharded?: boolean | undefined;
}

/**
 * Options of a pattern.
 *
 * @typeParam Value What is published on its channels.
 */
export interface PatternOptions<Value> {
  /** Checks what arrives. A message that it refuses is an item that says so. */
  schema?: StandardSchema<unknown, Value> | undefined;
}

/** What becomes of a message that does not fit into the buffer. */
export type OnFull = "drop-oldest" | "drop-newest" | "error";

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Ends it: the loop is over. */
  signal?: AbortSignal | undefined;
  /**
   * How many messages wait for a loop that is slow: from 1 to 1,000,000, and 64 MiB at most.
   *
   * @default {that of `connect({ pubsub })`, or 1000}
   */
  buffer?: number | undefined;
  /**
   * What becomes of a message that does not fit: `drop-oldest` drops the one that has waited longest, `drop-newest`
   * this one, and an item tells how many were dropped there; `error` has the loop throw a `ChannelFullError`.
   *
   * @default {that of `connect({ pubsub })`, or "drop-oldest"}
   */
  onFull?: OnFull | undefined;
}

const MIB = 1_048_576;
const PUBSUB = optionNames<PubSubOptions>({ serializer: true, maxBytes: true, buffer: true, onFull: true });
const CHANNEL = optionNames<ChannelOptions<unknown>>({ schema: true, sharded: true });
const PATTERN = optionNames<PatternOptions<unknown>>({ schema: true });
const SUBSCRIBE = optionNames<SubscribeOptions>({ signal: true, buffer: true, onFull: true });
const PUBLISH = optionNames<{ signal?: AbortSignal }>({ signal: true });

/** How many bytes a message may have, and how many may wait. */
export const MOST: { readonly bytes: number; readonly buffered: number } = { bytes: 64 * MIB, buffered: 1_000_000 };
/** What may become of a message that does not fit. */
export const ON_FULL: readonly OnFull[] = ["drop-oldest", "drop-newest", "error"];

/** Options that all subscriptions have. */
export interface SubscribeDefaults {
  readonly buffer: number;
  readonly onFull: OnFull;
}

/** Checks the options of all channels; gives how many bytes a message may have, and what holds for subscriptions. */
export function pubSubOptionsOf(options: PubSubOptions): SubscribeDefaults & { readonly maxBytes: number } {
  const action = "make channels";
  assertOptions(options, PUBSUB, action);
  const { maxBytes = MIB, buffer = 1000, onFull = "drop-oldest" } = options;
  return {
    maxBytes: whole(action, "maxBytes", maxBytes, MOST.bytes),
    buffer: whole(action, "buffer", buffer, MOST.buffered),
    onFull: whenFull(action, onFull),
  };
}

/** Checks the options of a channel. */
export function assertChannelOptions(options: ChannelOptions<never>): void {
  assertOptions(options, CHANNEL, "make a channel");
  const { schema, sharded } = options as Record<string, unknown>;
  assertSchema("make a channel", schema);
  if (sharded === undefined || typeof sharded === "boolean") return;
  throw new TypeError(`Cannot make a channel: wanted a boolean as "sharded", got ${describe(sharded)}`);
}

/** Checks the options of a pattern. */
export function assertPatternOptions(options: PatternOptions<never>): void {
  assertOptions(options, PATTERN, "make a pattern of channels");
  assertSchema("make a pattern of channels", options.schema);
}

/** Checks the options of a subscription. */
export function subscribeOptionsOf(options: SubscribeOptions, defaults: SubscribeDefaults): SubscribeDefaults {
  assertOptions(options, SUBSCRIBE, "subscribe");
  const { buffer = defaults.buffer, onFull = defaults.onFull } = options;
  return { buffer: whole("subscribe", "buffer", buffer, MOST.buffered), onFull: whenFull("subscribe", onFull) };
}

/** Checks the options of a message. */
export function assertPublishOptions(options: { signal?: AbortSignal }): void {
  assertOptions(options, PUBLISH, "publish");
}

function assertSchema(action: string, schema: unknown): void {
  if (schema === undefined || isStandardSchema(schema)) return;
  throw new TypeError(`Cannot ${action}: wanted a Standard Schema as "schema", got ${describe(schema)}`);
}

function whenFull(action: string, onFull: unknown): OnFull {
  if ((ON_FULL as readonly unknown[]).includes(onFull)) return onFull as OnFull;
  const wanted = 'wanted "onFull" to be "drop-oldest", "drop-newest" or "error"';
  throw new TypeError(`Cannot ${action}: ${wanted}, got ${describe(onFull)}`);
}

function whole(action: string, name: string, given: unknown, most: number): number {
  if (Number.isInteger(given) && (given as number) >= 1 && (given as number) <= most) return given as number;
  const message = `Cannot ${action}: wanted a whole number from 1 to ${most} as "${name}", got ${describe(given)}`;
  throw typeof given === "number" ? new RangeError(message) : new TypeError(message);
}
