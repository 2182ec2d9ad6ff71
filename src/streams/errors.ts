/**
 * A message was lost while it was handled: this process was silent for longer than the `lease`, and another consumer
 * has it now. It is the reason of `item.signal`.
 *
 * @example Tell it from other errors
 * ```ts
 * import { MessageLostError } from "@larder/larder/streams";
 * import assert from "node:assert/strict";
 *
 * const error = new MessageLostError("jobs", "1700000000000-0");
 * assert.equal(error.message, 'Cannot go on with message 1700000000000-0 of stream "jobs": another consumer has it');
 * ```
 */
export class MessageLostError extends Error {
  /** The error name. */
  override readonly name: string = "MessageLostError";
  /** The name of the stream. */
  readonly stream: string;
  /** The id of the message. */
  readonly id: string;

  /**
   * Creates the error.
   *
   * @param stream The name of the stream.
   * @param id The id of the message.
   */
  constructor(stream: string, id: string) {
    super(`Cannot go on with message ${id} of stream ${JSON.stringify(stream)}: another consumer has it`);
    this.stream = stream;
    this.id = id;
  }
}
