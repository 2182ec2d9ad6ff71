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
import type { RedisCommand, RedisReply, StringTaker } from "../../redis/client.ts";
import { unreadableReply } from "../../redis/unreadable_reply.ts";
import { MARKS, type Marks, readMarks, ScoresTaker } from "./ledger_marks.ts";
import type { WireEntry } from "../entry.ts";
import { EntryReader } from "./entry_reader.ts";
import type { PendingRead } from "./pending_read.ts";

/** Most keys of one command; more are split. */
const KEYS_PER_CALL = 500;
const OPERATION = "read cache entries";

/** What was found at a key: an entry, a value, nothing, how long it is, or why that is not known. */
export type Found = WireEntry | Uint8Array | undefined | number | Error;

/** What is told of a plain read. */
export interface PlainReadHost {
  readonly prefix: string;
  readonly ledger: string;
  /** All of it was answered. */
  answered(read: PlainRead): void;
  /** It is about to be written. */
  written(reads: readonly PendingRead[], now: number): void;
}

/** The commands for the marks, in front of the first call. */
interface InFront {
  readonly taker: ScoresTaker;
  readonly commands: readonly RedisCommand[];
  readonly written: (now: number) => void;
}

/** The reads that go without a script in one write. */
export class PlainRead {
  readonly reads: readonly PendingRead[];
  /** Which connection it is for. */
  readonly generation: number;
  /** What was found at each key. */
  readonly found: Found[];
  /** Reads what was found. */
  readonly reader: EntryReader = new EntryReader();
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
    const { reads } = this;
    // Nearly always all of them: no array grows then, since one that does takes room for many more.
    const all = reads.map((_, i) => i);
    const sized = reads.every(isSized) ? all : all.filter((i) => isSized(reads[i]!));
    const taker = new ScoresTaker();
    const scores: RedisCommand = { name: "ZMSCORE", args: [ledger, ...MARKS], into: taker.take };
    const time: RedisCommand = { name: "TIME", args: [], route: ledger };
    const written = (now: number) => {
      this.sentAt = now;
      this.#host.written(reads, now);
    };
    const calls = [
      sized.length === 0
        ? this.#call(time, () => {}, () => {}, { taker, commands: [scores], written })
        : this.#values(partOf(sized, 0), { taker, commands: [scores, time], written }),
    ];
    for (let i = KEYS_PER_CALL; i < sized.length; i += KEYS_PER_CALL) calls.push(this.#values(partOf(sized, i)));
    if (sized !== all) {
      for (let i = 0; i < reads.length; i++) {
        const { size } = reads[i]!;
        if (size !== "sized") calls.push(size === "long" ? this.#length(i) : this.#beginning(i));
      }
    }
    this.#missing = calls.length;
    return calls;
  }

  /** Whole values of which is known how long they are. */
  #values(indexes: readonly number[], marks?: InFront): Call {
    const args = indexes.map((i) => this.#host.prefix + this.reads[i]!.key);
    let next = 0;
    const into: StringTaker = (bytes, from, end) => {
      const i = indexes[next++]!;
      try {
        if (from >= 0) this.found[i] = this.reader.readAt(bytes, from, end);
      } catch (error) {
        this.found[i] = asError(error);
      }
    };
    return this.#call({ name: "MGET", args, into }, (reply) => {
      if (reply === indexes.length) return; // they were handed over as they came
      const values = Array.isArray(reply) && reply.length === indexes.length ? reply : undefined;
      for (let i = 0; i < indexes.length; i++) {
        this.found[indexes[i]!] = values ? valueOf(values[i]!) : unreadableReply();
      }
    }, (error) => {
      for (const i of indexes) this.found[i] = asError(error);
    }, marks);
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
    command: RedisCommand,
    resolve: (reply: RedisReply) => void,
    reject: (error: unknown) => void,
    marks?: InFront,
  ): Call {
    const { name, args, into, route } = command;
    return {
      name,
      args,
      into,
      route,
      operation: OPERATION,
      before: marks?.commands,
      written: marks?.written,
      resolve: (reply, before) => {
        // The reply to `TIME` is the second in front, or that of the call.
        if (marks) this.marks = attempt(() => readMarks(marks.taker.reply(before?.[0]), before?.[1] ?? reply));
        resolve(reply);
        this.#answered();
      },
      reject: (error) => {
        if (marks) this.marks = asError(error);
        reject(error);
        this.#answered();
      },
    };
  }

  #answered(): void {
    if (--this.#missing === 0) this.#host.answered(this);
  }
}

function isSized({ size }: PendingRead): boolean {
  return size === "sized";
}

/** What goes as one call. */
function partOf(indexes: readonly number[], from: number): readonly number[] {
  return indexes.length <= KEYS_PER_CALL ? indexes : indexes.slice(from, from + KEYS_PER_CALL);
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
