import type { ReadItem, StreamItem } from "./item.ts";
import type { DeadLetters } from "./dead_letters.ts";
import type { AddOptions, ConsumeOptions, ReadOptions, TrimOptions } from "./options.ts";
import type { PendingEntry, StreamInfo } from "./store.ts";
import type { StreamHandler, StreamWorker } from "./worker.ts";

/**
 * A loop over the messages of a group: `for await (const item of consumer)`. Whoever leaves the loop ends it.
 *
 * @typeParam Value What is added to the stream.
 */
export interface StreamConsumer<Value> extends AsyncIterableIterator<StreamItem<Value>>, AsyncDisposable {
  /** Ends it: what is not acknowledged goes to others. */
  return(): Promise<IteratorReturnResult<undefined>>;
  /** Takes nothing more, and ends when what was handed out is done with. */
  shutdown(): Promise<void>;
}

/**
 * A stream: messages that are kept, and handed to each group until they are acknowledged.
 *
 * @typeParam Value What is added there.
 */
export interface Stream<Value> {
  /** Its name. */
  readonly name: string;
  /**
   * Adds a message.
   *
   * @param value What the serializer can write.
   * @param options A key, by which order is kept; an `id`, under which it is added once; a signal.
   * @returns The id of the message.
   * @throws {UnavailableError} If Redis does not answer. The message may have been added all the same: with an `id` it
   * can be added again.
   * @throws {TypeError | RangeError} If it cannot be written, or is too long.
   */
  add(value: Value, options?: AddOptions): Promise<string>;
  /**
   * Consumes the stream as one of a group, each of whose messages is handed to one consumer:
   * `for await (const item of stream.consume("workers")) await item.ack()`. What is not acknowledged is handed to
   * another consumer when this one leaves or dies. Messages with a `key` come one after the other.
   *
   * @param group The name of the group, up to 512 bytes.
   * @param options A signal, how many at a time, where a new group begins.
   * @returns The messages.
   * @throws {TypeError | RangeError} If an argument cannot be used.
   */
  consume(group: string, options?: ConsumeOptions): StreamConsumer<Value>;
  /**
   * Consumes the stream by a handler. A message is acknowledged when the handler ends, and tried again later when it
   * throws; one that does not fit the schema becomes a dead letter.
   *
   * @param group The name of the group, up to 512 bytes.
   * @param options A signal, how many at a time, how often a message is tried.
   * @param handler What is done with a message.
   * @returns The handler at work.
   * @throws {TypeError | RangeError} If an argument cannot be used.
   */
  consume(group: string, options: ConsumeOptions, handler: StreamHandler<Value>): StreamWorker;
  /**
   * Reads messages, which no group has anything to do with: all that are kept, or a range; with `follow` those that
   * come, too.
   *
   * @param options The range.
   * @returns The messages, the oldest first.
   * @throws {TypeError | RangeError} If an option cannot be used.
   */
  read(options?: ReadOptions): AsyncGenerator<ReadItem<Value>, void, undefined>;
  /** Messages that were given up. */
  readonly deadLetters: DeadLetters<Value>;
  /**
   * Messages of a group that were handed out and are not done with, the oldest first.
   *
   * @param group The name of the group.
   * @param options How many at most (default: 100, up to 10,000), a signal.
   */
  pending(group: string, options?: { limit?: number; signal?: AbortSignal }): Promise<readonly PendingEntry[]>;
  /** How many messages it keeps, how many were given up, and how far its groups are. */
  info(options?: { signal?: AbortSignal }): Promise<StreamInfo>;
  /** How many messages it keeps. */
  length(options?: { signal?: AbortSignal }): Promise<number>;
  /**
   * Removes messages: those that all groups are done with; or the oldest, so that so many are left; or those before an
   * id or a time.
   *
   * @returns How many were removed.
   */
  trim(options?: TrimOptions): Promise<number>;
}
