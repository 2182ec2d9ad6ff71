import type { ClosedBy } from "../errors.ts";
import { type EventListener, safeListener } from "../observe/events.ts";
import type { MessageHeaders } from "../util/message_headers.ts";
import { tracesMessages } from "../observe/telemetry.ts";
import { assertKey } from "../util/keys.ts";
import { MessageCodec } from "../values/message_codec.ts";
import { richSerializer } from "../values/serializer.ts";
import {
  assertChannelOptions,
  assertPatternOptions,
  assertPublishOptions,
  type ChannelOptions,
  type PatternOptions,
  type PubSubOptions,
  pubSubOptionsOf,
  type SubscribeOptions,
  subscribeOptionsOf,
} from "./options.ts";
import type { PubSubCounts, PubSubStats } from "./stats.ts";
import type { ChannelStore, ChannelTopic } from "./store.ts";
import { type ChannelSubscription, type PatternItem, Subscribed } from "./subscription.ts";

/**
 * A channel: who publishes reaches all who are subscribed at that moment, in all processes.
 *
 * @typeParam Value What is published there.
 */
export interface Channel<Value> {
  /** Its name. */
  readonly name: string;
  /**
   * Publishes a value. It is not kept: who is not subscribed does not get it.
   *
   * @param value What the serializer can write.
   * @param options A signal, which ends the wait.
   * @returns How many subscribers the server reached: one for each process, and one for each of its patterns that fits;
   * on a cluster those of one node, which for a sharded channel are all.
   * @throws {UnavailableError} If Redis does not answer. The message may have gone out all the same.
   * @throws {TypeError | RangeError} If it cannot be written, or is too long.
   */
  publish(value: Value, options?: { signal?: AbortSignal }): Promise<number>;
  /**
   * Subscribes: `for await (const { value, gap } of channel.subscribe())`. Where messages may be missing there is an
   * item `{ gap: true }`.
   *
   * @param options A signal, how many messages may wait for the loop, and what becomes of others.
   * @returns The messages from now on.
   * @throws {TypeError | RangeError} If an option cannot be used.
   */
  subscribe(options?: SubscribeOptions): ChannelSubscription<Value>;
}

/**
 * A pattern of channels: all whose names fit.
 *
 * @typeParam Value What is published there.
 */
export interface ChannelPattern<Value> {
  /** The pattern. */
  readonly pattern: string;
  /**
   * Subscribes: `for await (const { channel, value, gap } of pattern.subscribe())`. Gaps are told as for a channel.
   *
   * @param options A signal, how many messages may wait for the loop, and what becomes of others.
   * @returns The messages from now on, each with the name of its channel.
   * @throws {TypeError | RangeError} If an option cannot be used.
   */
  subscribe(options?: SubscribeOptions): ChannelSubscription<Value, PatternItem<Value>>;
}

/**
 * Channels between processes: messages to all who are there, and a word where some may be missing.
 *
 * @example Tell all who listen
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const orders = redis.pubsub.channel<{ id: number }>("orders");
 * const messages = orders.subscribe();
 * await messages.ready;
 * assert.equal(await orders.publish({ id: 7 }), 1);
 * for await (const { value, gap } of messages) {
 *   if (gap) continue; // look at what is stored: messages may be missing
 *   assert.deepEqual(value, { id: 7 });
 *   break;
 * }
 * ```
 */
export class PubSub implements AsyncDisposable {
  readonly #store: ChannelStore;
  readonly #codec: MessageCodec;
  readonly #options: ReturnType<typeof pubSubOptionsOf>;
  readonly #on: EventListener | undefined;
  readonly #open = new Set<AsyncDisposable>();
  readonly #counts: PubSubCounts = {
    published: 0,
    received: 0,
    dropped: 0,
    refused: 0,
    gaps: 0,
    subscriptions: 0,
    waiting: 0,
  };

  /**
   * Creates channels. `connect()` does it for you.
   *
   * @param store Where they are.
   * @param options How values are written, and how long messages may be.
   * @param on Told of gaps, and of messages that are refused.
   * @throws {TypeError | RangeError} If an option cannot be used.
   */
  constructor(store: ChannelStore, options: PubSubOptions = {}, on?: EventListener) {
    this.#store = store;
    this.#options = pubSubOptionsOf(options);
    this.#codec = new MessageCodec(options.serializer ?? richSerializer, "make channels");
    this.#on = safeListener(on);
  }

  /**
   * A channel by its name.
   *
   * @typeParam Value What is published there.
   * @param name Its name, up to 512 bytes.
   * @param options A schema that checks what arrives, and whether it is a sharded channel.
   * @returns The channel. Nothing is opened.
   * @throws {TypeError | RangeError} If an argument cannot be used, or the client has no sharded channels.
   */
  channel<Value = unknown>(name: string, options: ChannelOptions<Value> = {}): Channel<Value> {
    assertKey(name, undefined, "make a channel");
    assertChannelOptions(options as ChannelOptions<never>);
    const { schema, sharded = false } = options;
    const topic: ChannelTopic = { kind: sharded ? "sharded" : "channel", name };
    if (sharded) this.#assertHas("sharded", "make a sharded channel");
    return {
      name,
      publish: async (value, options = {}) => {
        assertPublishOptions(options);
        const publish = async (headers?: MessageHeaders) => {
          const { maxBytes } = this.#options;
          const payload = this.#codec.encode(value, `publish on ${JSON.stringify(name)}`, maxBytes, headers);
          const reached = await this.#store.publish(topic, payload, options.signal);
          this.#counts.published++;
          return reached;
        };
        return await (tracesMessages()?.send("channel.publish", publish) ?? publish());
      },
      subscribe: (options = {}) => this.#subscribe(topic, schema, options),
    };
  }

  /**
   * All channels whose names fit a glob pattern: `*` is any text, `?` one byte, `[abc]` one of a set, and a backslash
   * makes the next byte ordinary. It stays within the namespace. What is made of an id needs `escapeGlob(id)`.
   *
   * @typeParam Value What is published there.
   * @param pattern The pattern, up to 512 bytes.
   * @param options A schema that checks what arrives.
   * @returns The pattern. Nothing is opened.
   * @throws {TypeError | RangeError} If an argument cannot be used, or the client has no patterns.
   *
   * @example All orders, whichever shop they are of
   * ```ts
   * import { connect } from "@larder/larder";
   * import assert from "node:assert/strict";
   *
   * await using redis = await connect({ url: "memory:" });
   * await using orders = redis.pubsub.pattern<{ id: number }>("orders:*").subscribe();
   * await orders.ready;
   * await redis.pubsub.channel("orders:berlin").publish({ id: 7 });
   * const { value: item } = await orders.next();
   * assert.deepEqual(item, { channel: "orders:berlin", value: { id: 7 } });
   * ```
   */
  pattern<Value = unknown>(pattern: string, options: PatternOptions<Value> = {}): ChannelPattern<Value> {
    assertKey(pattern, undefined, "make a pattern of channels", "pattern");
    assertPatternOptions(options as PatternOptions<never>);
    this.#assertHas("pattern", "make a pattern of channels");
    const { schema } = options;
    return {
      pattern,
      subscribe: (options = {}) => this.#subscribe({ kind: "pattern", name: pattern }, schema, options),
    };
  }

  #assertHas(kind: ChannelTopic["kind"], action: string): void {
    const lacks = this.#store.lacks?.(kind);
    if (lacks) throw new TypeError(`Cannot ${action}: wanted ${lacks.wanted}, got ${lacks.got}`);
  }

  #subscribe<Value>(
    topic: ChannelTopic,
    schema: ChannelOptions<Value>["schema"],
    options: SubscribeOptions,
  ): Subscribed<Value> {
    const subscription = new Subscribed<Value>({
      topic,
      schema,
      codec: this.#codec,
      ...subscribeOptionsOf(options, this.#options),
      counts: this.#counts,
      on: this.#on,
      ended: (subscription) => this.#open.delete(subscription),
    });
    this.#open.add(subscription);
    subscription.open(this.#store, options.signal);
    return subscription;
  }

  /** What was done in this process so far. */
  stats(): PubSubStats {
    return { ...this.#counts };
  }

  /**
   * Ends all subscriptions: their loops are over.
   *
   * @param by What ends it, for the errors of those who come later.
   */
  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    await Promise.all([...this.#open].map((subscription) => subscription[Symbol.asyncDispose]()));
    await this.#store[Symbol.asyncDispose](by);
  }
}
