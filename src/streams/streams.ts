import type { ClosedBy } from "../errors.ts";
import { type EventListener, safeListener } from "../observe/events.ts";
import { tracesMessages } from "../observe/telemetry.ts";
import { describe } from "../util/describe.ts";
import { assertKey } from "../util/keys.ts";
import type { MessageHeaders } from "../util/message_headers.ts";
import { MessageCodec } from "../values/message_codec.ts";
import { richSerializer } from "../values/serializer.ts";
import { GroupConsumer } from "./consumer.ts";
import { StreamDeadLetters } from "./dead_letters.ts";
import type { StreamItem } from "./item.ts";
import {
  addOptionsOf,
  assertSignalOnly,
  type ConsumeOptions,
  consumingOf,
  limitOf,
  maxBytesOf,
  rangeOf,
  type StreamOptions,
  streamOptionsOf,
  type StreamsOptions,
  trimOf,
} from "./options.ts";
import { readRange } from "./reader.ts";
import type { StreamCounts, StreamStats } from "./stats.ts";
import type { StreamStore } from "./store.ts";
import type { Stream, StreamConsumer } from "./stream.ts";
import { type StreamHandler, Worker } from "./worker.ts";

/**
 * Streams: messages that are kept until each group has handled them, in the order of their keys.
 *
 * @example Add jobs and handle them
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const jobs = redis.streams.stream<{ id: number }>("jobs");
 * await jobs.add({ id: 7 }, { key: "customer:1" });
 * for await (const item of jobs.consume("workers")) {
 *   assert.deepEqual(item.value, { id: 7 });
 *   await item.ack();
 *   break;
 * }
 * assert.deepEqual(await jobs.pending("workers"), []);
 * ```
 */
export class Streams implements AsyncDisposable {
  readonly #store: StreamStore;
  readonly #codec: MessageCodec;
  readonly #maxBytes: number;
  readonly #on: EventListener | undefined;
  readonly #open = new Set<{ end(): Promise<void>; shutdown(): Promise<void> }>();
  readonly #closing = new AbortController();
  readonly #counts: StreamCounts = {
    ...{ added: 0, handled: 0, retried: 0, dead: 0, refused: 0, claimed: 0, lost: 0, gaps: 0 },
    ...{ consumers: 0, pending: 0 },
  };

  /**
   * Creates streams. `connect()` does it for you.
   *
   * @param store Where they are.
   * @param options How values are written, and how long messages may be.
   * @param on Told of what becomes of messages.
   * @throws {TypeError | RangeError} If an option cannot be used.
   */
  constructor(store: StreamStore, options: StreamsOptions = {}, on?: EventListener) {
    this.#store = store;
    this.#maxBytes = maxBytesOf(options);
    this.#codec = new MessageCodec(options.serializer ?? richSerializer, "make streams");
    this.#on = safeListener(on);
  }

  /**
   * A stream by its name.
   *
   * @typeParam Value What is added there.
   * @param name Its name, up to 512 bytes.
   * @param options A schema that checks what is handed out, how many messages are kept.
   * @returns The stream. Nothing is opened.
   * @throws {TypeError | RangeError} If an argument cannot be used.
   */
  stream<Value = unknown>(name: string, options: StreamOptions<Value> = {}): Stream<Value> {
    assertKey(name, undefined, "make a stream");
    const { maxLength, maxDead, maxBytes } = streamOptionsOf(options as StreamOptions<never>, {
      maxBytes: this.#maxBytes,
    });
    const { schema } = options;
    const store = this.#store;
    const codec = this.#codec;
    const counts = this.#counts;
    const consume = ((group: string, options: ConsumeOptions = {}, ...rest: [StreamHandler<Value>?]) => {
      assertKey(group, undefined, "consume a stream", "group");
      const handles = rest.length > 0;
      const [handler] = rest;
      const consuming = consumingOf(options, handles ? 1 : 100);
      if (handles && typeof handler !== "function") {
        throw new TypeError(`Cannot consume a stream: wanted a function as the handler, got ${describe(handler)}`);
      }
      const consumer: GroupConsumer<Value> = new GroupConsumer<Value>({
        ...{ store, stream: name, group, maxDead, codec, schema, counts, on: this.#on, ...consuming },
        handler: handles,
        ended: () => this.#open.delete(consumer),
      }, options.signal);
      this.#open.add(consumer);
      return handler ? new Worker(consumer, handler, consuming.concurrency) : loopOver(consumer);
    }) as Stream<Value>["consume"];
    return {
      name,
      consume,
      add: async (value, options = {}) => {
        const { key, once } = addOptionsOf(options);
        const add = async (headers?: MessageHeaders) => {
          const payload = codec.encode(value, `add to stream ${JSON.stringify(name)}`, maxBytes, headers);
          const { id, added } = await store.add({ stream: name, payload, key, maxLength, once }, options.signal);
          if (added) counts.added++;
          return id;
        };
        return await (tracesMessages()?.send("streams.add", add) ?? add());
      },
      read: (options = {}) => {
        const parts = { store, stream: name, codec, schema, closing: this.#closing.signal };
        return readRange<Value>(parts, rangeOf(options), options.signal);
      },
      deadLetters: new StreamDeadLetters<Value>({ store, stream: name, codec, schema }),
      pending: async (group, options = {}) => {
        const action = "read what is pending";
        assertKey(group, undefined, action, "group");
        return await store.pending(name, group, limitOf(options, action, 100), options.signal);
      },
      info: async (options = {}) => {
        assertSignalOnly(options, "tell of a stream");
        return await store.info(name, options.signal);
      },
      length: async (options = {}) => {
        assertSignalOnly(options, "tell of a stream");
        return (await store.info(name, options.signal)).length;
      },
      trim: async (options = {}) => await store.trim(name, trimOf(options), options.signal),
    };
  }

  /** What was done in this process so far. */
  stats(): StreamStats {
    return { ...this.#counts };
  }

  /** Has all consumers take nothing more, and resolves when what is being handled is done with. */
  async shutdown(): Promise<void> {
    await Promise.all([...this.#open].map((consumer) => consumer.shutdown()));
  }

  /**
   * Ends all consumers at once: what is not acknowledged goes to others. `shutdown()` waits for it.
   *
   * @param by What ends it, for the errors of those who come later.
   */
  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#open].map((consumer) => consumer.end()));
    await this.#store[Symbol.asyncDispose](by);
  }
}

function loopOver<Value>(consumer: GroupConsumer<Value>): StreamConsumer<Value> {
  return {
    async next(): Promise<IteratorResult<StreamItem<Value>, undefined>> {
      const value = await consumer.next();
      return value === undefined ? { done: true, value } : { done: false, value };
    },
    async return() {
      await consumer.end();
      return { done: true, value: undefined };
    },
    shutdown: () => consumer.shutdown(),
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: () => consumer.end(),
  };
}
