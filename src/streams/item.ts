import { describe } from "../util/describe.ts";
import type { Duration } from "../util/duration.ts";
import type { MessageHeaders } from "../util/message_headers.ts";

/** A message in hand, and how to be done with it. */
export interface StreamMessage {
  /** Its id: when it was added, in milliseconds, and a number. Ids of a stream only grow. */
  readonly id: string;
  /** Its key: others of the same key wait until it is done with. */
  readonly key: string | undefined;
  /** Which attempt this is, from 1. A process that died with it counts as one. */
  readonly attempt: number;
  /** Aborted when another consumer has it, or the consumer was closed. */
  readonly signal: AbortSignal;
  /**
   * Is done with it. While Redis is away it waits, so that a loop goes on by itself; nothing that was acknowledged is
   * handed out again.
   *
   * @returns Whether it was still this consumer's: `false` if another has it by now, or it was acknowledged before.
   * @throws {UnavailableError} If it was closed meanwhile.
   */
  ack(): Promise<boolean>;
  /**
   * Has it tried again after a while: `retryDelay`, or so long. After the last attempt it becomes a dead letter.
   *
   * @param error What went wrong, for the dead letter.
   * @param options How long to wait.
   * @returns Whether it is tried again: `false` if it was given up, or is another consumer's.
   */
  retry(error?: unknown, options?: { delay?: Duration }): Promise<boolean>;
  /**
   * Gives it up: it becomes a dead letter.
   *
   * @param error What went wrong.
   * @returns Whether it was still this consumer's.
   */
  deadLetter(error?: unknown): Promise<boolean>;
}

/**
 * What a loop over a stream is given.
 *
 * @typeParam Value What is added there.
 */
export type StreamItem<Value> =
  /** A message; with `headers`, the span in which it was added, where that was traced. */
  | StreamMessage & {
    readonly value: Value;
    readonly headers?: MessageHeaders | undefined;
    readonly issues?: undefined;
    readonly gap?: undefined;
  }
  /** A message that cannot be read or does not fit the schema, and why. It waits to be done with like any other. */
  | StreamMessage & { readonly issues: readonly string[]; readonly value?: undefined; readonly gap?: undefined }
  /**
   * Messages are missing here: so many were trimmed before they were handled (`trimmed`), or the group was lost, as by
   * a restart without persistence, and is made anew (`lost`). `ack()` does nothing.
   */
  | StreamMessage & {
    readonly gap: true;
    readonly reason: "trimmed" | "lost";
    /** How many, if that is known. */
    readonly missing: number | undefined;
    readonly value?: undefined;
    readonly issues?: undefined;
  };

/** What a handler is given: a message with its value. */
export type HandledMessage<Value> = Extract<StreamItem<Value>, { headers?: unknown }>;

/**
 * What a range of messages gives.
 *
 * @typeParam Value What is added there.
 */
export type ReadItem<Value> =
  /** A message. */
  | {
    readonly id: string;
    readonly key: string | undefined;
    readonly value: Value;
    readonly headers?: MessageHeaders | undefined;
    readonly issues?: undefined;
    readonly gap?: undefined;
  }
  /** A message that cannot be read or does not fit the schema, and why. */
  | {
    readonly id: string;
    readonly key: string | undefined;
    readonly issues: readonly string[];
    readonly value?: undefined;
    readonly gap?: undefined;
  }
  /** Messages after `after`, or between those that were read, are not kept any more. */
  | {
    readonly gap: true;
    readonly id?: undefined;
    readonly key?: undefined;
    readonly value?: undefined;
    readonly issues?: undefined;
  };

/** A gap as an item. */
export function gapItem(
  reason: "trimmed" | "lost",
  missing: number | undefined,
): Extract<StreamItem<never>, { gap: true }> {
  const nothing = () => Promise.resolve(true);
  const { signal } = new AbortController();
  const done = { ack: nothing, retry: nothing, deadLetter: nothing };
  return { gap: true, reason, missing, id: "", key: undefined, attempt: 0, signal, ...done };
}

/** What went wrong, as a dead letter keeps it. */
export function errorText(error: unknown): string {
  let text: string;
  try {
    text = error instanceof Error ? `${error.name}: ${error.message}` : String(error ?? "given up");
  } catch {
    text = describe(error); // it cannot be told as text
  }
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
const LONGEST = 4096;
