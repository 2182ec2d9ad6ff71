import type { ClosedBy } from "../errors.ts";
import { type EventListener, safeListener } from "../observe/events.ts";
import type { MessageHeaders } from "../util/message_headers.ts";
import { tracesMessages } from "../observe/telemetry.ts";
import { assertKey } from "../util/keys.ts";
import { MessageCodec } from "../values/message_codec.ts";
import { richSerializer } from "../values/serializer.ts";
import {
  assertChannelOptions,
  assertPublishOptions,
  type ChannelOptions,
  maxBytesOf,
  type PubSubOptions,
  type SubscribeOptions,
  subscribeOptionsOf,
} from "./options.ts";
import type { PubSubCounts, PubSubStats } from "./stats.ts";
import type { ChannelStore } from "./store.ts";
import { type ChannelSubscription, Subscribed } from "./subscription.ts";

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
   * @returns How many subscribers the server reached: one for each process, on a cluster those of one node.
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
  readonly #maxBytes: number;
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
    this.#maxBytes = maxBytesOf(options);
    this.#codec = new MessageCodec(options.serializer ?? richSerializer, "make channels");
    this.#on = safeListener(on);
  }

  /**
   * A channel by its name.
   *
   * @typeParam Value What is published there.
   * @param name Its name, up to 512 bytes.
   * @param options A schema that checks what arrives.
   * @returns The channel. Nothing is opened.
   * @throws {TypeError | RangeError} If an argument cannot be used.
   */
  channel<Value = unknown>(name: string, options: ChannelOptions<Value> = {}): Channel<Value> {
    assertKey(name, undefined, "make a channel");
    assertChannelOptions(options as ChannelOptions<never>);
    const { schema } = options;
    return {
      name,
      publish: async (value, options = {}) => {
        assertPublishOptions(options);
        const publish = async (headers?: MessageHeaders) => {
          const payload = this.#codec.encode(value, `publish on ${JSON.stringify(name)}`, this.#maxBytes, headers);
          const reached = await this.#store.publish(name, payload, options.signal);
          this.#counts.published++;
          return reached;
        };
        return await (tracesMessages()?.send("channel.publish", publish) ?? publish());
      },
      subscribe: (options = {}) => {
        const subscription = new Subscribed<Value>({
          name,
          schema,
          codec: this.#codec,
          ...subscribeOptionsOf(options),
          counts: this.#counts,
          on: this.#on,
          ended: (subscription) => this.#open.delete(subscription),
        });
        this.#open.add(subscription);
        subscription.open(this.#store, options.signal);
        return subscription;
      },
    };
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
