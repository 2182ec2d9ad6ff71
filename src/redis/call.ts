import type { UnavailableError } from "../errors.ts";
import type { RedisCommand, RedisReply } from "./client.ts";
import type { Deadline } from "./deadline.ts";
import type { Due } from "./grace_period.ts";

/** A command on its way, and what to do with its reply. */
export interface Call extends RedisCommand {
  /** What is attempted, for the message of an {@linkcode UnavailableError}. */
  readonly operation: string;
  /** The deadline that it shares with the other commands of the same call, where there are several. */
  readonly within?: Deadline | undefined;
  /**
   * Commands that go out in front of it, in the same write: their replies come along, and an error among them rejects
   * the call. For whoever counts or traces, all of it is one call.
   */
  readonly before?: readonly RedisCommand[] | undefined;
  /**
   * Whether errors are a part of the answer: they are handed over in place, and count as no failure. Whoever wants that
   * asks again in another way, and hears of what is wrong then.
   */
  readonly takesErrors?: boolean | undefined;
  /** Told when it is about to be written, by `performance.now()`. */
  readonly written?: ((now: number) => void) | undefined;
  /** Takes the reply, and those to the commands in front of it; error replies go to `reject`. */
  resolve(reply: RedisReply, before?: readonly RedisReply[]): void;
  /** Takes a failure. */
  reject(error: unknown): void;
}

/** Collects work until the batch is written, so that whatever comes meanwhile shares one command. */
export interface CallSource {
  /** What is attempted, for the message of an {@linkcode UnavailableError}. */
  readonly operation: string;
  /** Whether its calls keep their place among those of `Batch.send()`; the others go last. @default {false} */
  readonly ordered?: boolean;
  /** Milliseconds after which its calls are given up, when less than the batch's own. */
  readonly timeout?: number;
  /** Hands over what was collected. What does not fit joins again: it goes with the next write. */
  take(): Call[];
  /** Fails what was collected. */
  fail(error: UnavailableError): void;
}

/** Options of one command. */
export interface SendOptions {
  /** What is attempted, for the message of an {@linkcode UnavailableError}. */
  operation?: string;
  /** Milliseconds after which this call is given up, when less than the batch's own. */
  timeout?: number;
  /** The deadline of the call that this command is a part of. */
  within?: Deadline | undefined;
  /** Ends the wait; a command already written runs all the same. */
  signal?: AbortSignal | undefined;
  /** See {@linkcode RedisCommand.text}. */
  text?: boolean;
  /** See {@linkcode RedisCommand.route}. */
  route?: string;
}

/** A call that waits to be written, or for its reply. */
export interface Waiting extends Call, Due {
  /** Milliseconds after which it is given up, from its write on. */
  readonly timeout: number;
  /** When it came, by `performance.now()`, if it could have been written at once. */
  readonly since: number;
  settled: boolean;
  /** Whether it was given up after it was written. */
  expired?: boolean;
  /** How often it was sent on to another node of a cluster. */
  readonly hops?: number;
}
