/**
 * A loop over a channel was too slow, and `onFull` says that this is an error.
 *
 * @example Tell it from other errors
 * ```ts
 * import { ChannelFullError } from "@larder/larder/pubsub";
 * import assert from "node:assert/strict";
 *
 * const error = new ChannelFullError("orders", 1000);
 * assert.equal(error.message, 'Cannot keep up with channel "orders": more than 1000 messages wait');
 * ```
 */
export class ChannelFullError extends Error {
  /** The error name. */
  override readonly name: string = "ChannelFullError";
  /** The name of the channel. */
  readonly channel: string;
  /** How many messages the buffer takes. */
  readonly buffer: number;

  /**
   * Creates the error.
   *
   * @param channel The name of the channel.
   * @param buffer How many messages the buffer takes.
   */
  constructor(channel: string, buffer: number) {
    super(`Cannot keep up with channel ${JSON.stringify(channel)}: more than ${buffer} messages wait`);
    this.channel = channel;
    this.buffer = buffer;
  }
}
