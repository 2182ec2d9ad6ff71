/**
 * Reads without a script: `ZMSCORE` of the ledger's marks, `TIME`, then the values, in this order, in one write. Why
 * nothing stale comes of it, z < t < n being the moments at which the server runs them, and I an invalidation that was
 * acknowledged before the read began and so ran before z:
 *
 * - A key: I removed the entry before n. What is found was written later, and a loader's write needs a lease that I
 *   took away.
 * - A tag or a pattern: at z the ledger has I, or a floor above it, below which nothing is valid. This process has
 *   heard of all up to
 *   what the marks say, or asks for the news before it judges, which are taken after z and so know at least as much.
 * - Everything, or a ledger that is gone: it has another epoch than the entries.
 * - The news are one script, since records that are read apart from their marks may miss what was pruned or added in
 *   between.
 * - What happens between z and n runs while the read does, which may see it or not. A copy that is made of the entry
 *   has its place
 * behind the last one of z, so whatever comes later voids it; the time is asked for before the values so that none
 * seems younger
 *   than it is.
 *
 * @module
 */
import { RedisError, UnavailableError } from "../../errors.ts";
import type { Call } from "../../redis/batch.ts";
import type { RedisReply } from "../../redis/client.ts";
import { unreadableReply } from "../../redis/unreadable_reply.ts";
import { MARKS, type Marks, readMarks } from "./ledger_marks.ts";
import type { PendingRead } from "./pending_read.ts";

/** Most keys of one command; more are split. */
const KEYS_PER_CALL = 500;
const OPERATION = "read cache entries";

/** What was found at a key: a value, nothing, how long it is, or why that is not known. */
export type Found = Uint8Array | undefined | number | Error;

/** What is told of a plain read. */
export interface PlainReadHost {
  readonly prefix: string;
  readonly ledger: string;
  /** All of it was answered. */
  answered(read: PlainRead): void;
  /** It is about to be written. */
  written(reads: readonly PendingRead[], now: number): void;
}

/** The reads that go without a script in one write. */
export class PlainRead {
  readonly reads: readonly PendingRead[];
  /** Which connection it is for. */
  readonly generation: number;
  /** What was found at each key. */
  readonly found: Found[];
  /** What the ledger said, or why it did not. */
  marks: Marks | Error | undefined;
  /** When it was written, by `performance.now()`. */
  sentAt = 0;
  readonly #host: PlainReadHost;
  /** Commands whose replies have not come. */
  #missing = 0;

  constructor(reads: readonly PendingRead[], generation: number, host: PlainReadHost) {
    this.reads = reads;
    this.generation = generation;
    this.found = new Array<Found>(reads.length);
    this.#host = host;
  }

  /** The calls, in order. The marks go in front of the first. */
  calls(): Call[] {
    const { ledger } = this.#host;
    const sized: number[] = [];
    const others: Call[] = [];
    for (let i = 0; i < this.reads.length; i++) {
      const { size } = this.reads[i]!;
      if (size === "sized") sized.push(i);
      else others.push(size === "long" ? this.#length(i) : this.#beginning(i));
    }
    const scores = { name: "ZMSCORE", args: [ledger, ...MARKS] };
    const time = { name: "TIME", args: [], route: ledger };
    const written = (now: number) => {
      this.sentAt = now;
      this.#host.written(this.reads, now);
    };
    const calls: Call[] = [];
    for (let i = 0; i < sized.length; i += KEYS_PER_CALL) calls.push(this.#values(sized.slice(i, i + KEYS_PER_CALL)));
    if (calls.length > 0) calls[0] = { ...this.#withMarks(calls[0]!, 1), before: [scores, time], written };
    else calls.push({ ...this.#withMarks(this.#call(time, () => {}, () => {}), 0), before: [scores], written });
    calls.push(...others);
    this.#missing = calls.length;
    return calls;
  }

  /**
   * A call whose replies begin with those to the commands for the marks; that to `TIME` is in front of it, or is its
   * own.
   */
  #withMarks(call: Call, timeAt: 0 | 1): Call {
    return {
      ...call,
      resolve: (reply, before = []) => {
        this.marks = attempt(() => readMarks(before[0], timeAt === 1 ? before[1] : reply));
        call.resolve(reply);
      },
      reject: (error) => {
        this.marks = asError(error);
        call.reject(error);
      },
    };
  }

  /** Whole values of which is known how long they are. */
  #values(indexes: readonly number[]): Call {
    const args = indexes.map((i) => this.#host.prefix + this.reads[i]!.key);
    const command = {
      name: "MGET",
      args,
    };
    return this.#call(command, (reply) => {
      const values = Array.isArray(reply) && reply.length === indexes.length ? reply : undefined;
      for (let i = 0; i < indexes.length; i++) {
        this.found[indexes[i]!] = values ? valueOf(values[i]!) : unreadableReply();
      }
    }, (error) => {
      for (const i of indexes) this.found[i] = asError(error);
    });
  }

  /** The first bytes of a value, which are all of it if it is shorter. */
  #beginning(i: number): Call {
    const { key, bytes } = this.reads[i]!;
    const command = { name: "GETRANGE", args: [this.#host.prefix + key, 0, bytes - 1] };
    return this.#call(command, (reply) => {
      const value = valueOf(reply);
      this.found[i] = value instanceof Uint8Array && value.length === 0 ? undefined : value;
    }, (error) => this.found[i] = isOfAnotherType(error) ? undefined : asError(error));
  }

  /** How long a value is. */
  #length(i: number): Call {
    const { key, bytes } = this.reads[i]!;
    return this.#call({ name: "STRLEN", args: [this.#host.prefix + key] }, (reply) => {
      this.found[i] = typeof reply === "number" ? reply : unreadableReply();
    }, (error) => {
      const refused = error instanceof RedisError && error.code === "NOPERM";
      this.found[i] = isOfAnotherType(error) ? undefined : refused ? bytes : asError(error);
    });
  }

  #call(
    command: { name: string; args: (string | number)[]; route?: string },
    resolve: (reply: RedisReply) => void,
    reject: (error: unknown) => void,
  ): Call {
    const answered = () => {
      if (--this.#missing === 0) this.#host.answered(this);
    };
    return {
      ...command,
      operation: OPERATION,
      resolve: (reply) => (resolve(reply), answered()),
      reject: (error) => (reject(error), answered()),
    };
  }
}

function valueOf(reply: RedisReply): Found {
  return reply === null ? undefined : reply instanceof Uint8Array ? reply : unreadableReply();
}

/** Whether something of another type is at a key: nothing, as far as entries go. */
export function isOfAnotherType(error: unknown): boolean {
  return error instanceof RedisError && error.code === "WRONGTYPE";
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new UnavailableError(OPERATION, "connection", { cause: error });
}

function attempt<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return asError(error);
  }
}
