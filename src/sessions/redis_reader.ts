import { RedisError, type UnavailableError } from "../errors.ts";
import type { Batch, Call, CallSource } from "../redis/batch.ts";
import type { RedisArgument } from "../redis/client.ts";
import type { Deadline } from "../redis/deadline.ts";
import { unavailable } from "../redis/refusals.ts";
import { type Part, readParts, sessionOf, textOf } from "./redis_reply.ts";
import { READ } from "./scripts.ts";
import type { ReadMode, StoredSession } from "./store.ts";

/** A read that waits for the next batch. */
interface Pending {
  readonly handle: string;
  /** The deadline of the call that it is a part of. */
  readonly within?: Deadline | undefined;
  resolve(part: Part): void;
  reject(error: unknown): void;
}

/** Most sessions of one script call; more are split. */
const KEYS_PER_CALL = 500;

/** Turns all reads of one write into one script call, and its one reply into what each of them wants. */
export class RedisReader implements CallSource {
  readonly operation: string = "read session";
  readonly #batch: Batch;
  readonly #base: string;
  readonly #touchEvery: number;
  readonly #told: (us: number) => void;
  #waiting: Record<ReadMode, Pending[]> = { roll: [], touch: [], peek: [] };
  #joined = false;

  /** `told` hears the time of the server in µs with each reply. */
  constructor(batch: Batch, base: string, touchEvery: number, told: (us: number) => void) {
    this.#batch = batch;
    this.#base = base;
    this.#touchEvery = touchEvery;
    this.#told = told;
  }

  /** Reads a session with the next batch. */
  read(handle: string, mode: "roll" | "peek", within?: Deadline): Promise<StoredSession | undefined> {
    return new Promise((resolve, reject) => {
      this.#add(mode, {
        handle,
        within,
        resolve(part) {
          try {
            resolve(sessionOf(handle, part)?.session);
          } catch (error) {
            reject(error);
          }
        },
        reject: (error) => reject(unavailable(error, "read session")),
      });
    });
  }

  /** Rolls the expiry of a session with the next batch. Resolves to whether it is there. */
  touch(handle: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#add("touch", {
        handle,
        resolve: (part) => resolve(part !== false),
        reject: (error) => reject(unavailable(error, "touch session")),
      });
    });
  }

  fail(error: UnavailableError): void {
    const { roll, touch, peek } = this.#empty();
    for (const waiting of [roll, touch, peek]) for (const read of waiting) read.reject(error);
  }

  take(): Call[] {
    const { roll, touch, peek } = this.#empty();
    const all = [...roll, ...touch, ...peek];
    const calls: Call[] = [];
    for (let i = 0; i < all.length; i += KEYS_PER_CALL) {
      const part = all.slice(i, i + KEYS_PER_CALL);
      const rolls = clamp(roll.length - i, part.length);
      calls.push(this.#call(part, rolls, clamp(roll.length + touch.length - i, part.length) - rolls));
    }
    return calls;
  }

  #add(mode: ReadMode, pending: Pending): void {
    const { roll, touch, peek } = this.#waiting;
    if (roll.length + touch.length + peek.length >= this.#batch.maxQueued) {
      return pending.reject(this.#batch.diagnosis.unavailable(this.operation, "overload"));
    }
    this.#waiting[mode].push(pending);
    if (this.#joined) return;
    this.#joined = true;
    this.#batch.join(this);
  }

  #empty(): Record<ReadMode, Pending[]> {
    const waiting = this.#waiting;
    this.#waiting = { roll: [], touch: [], peek: [] };
    this.#joined = false;
    return waiting;
  }

  #call(reads: readonly Pending[], rolls: number, touches: number): Call {
    const args: RedisArgument[] = [reads.length + 1];
    for (const { handle } of reads) args.push(`${this.#base}:${handle}`);
    args.push(`${this.#base}l`, this.#touchEvery, rolls, touches);
    const reject = (error: unknown) => {
      for (const read of reads) read.reject(error);
    };
    const call = READ.call(this.#batch, args, {
      operation: this.operation,
      resolve: (reply) => {
        let parts: Part[];
        try {
          if (!(reply instanceof Uint8Array)) throw new RangeError("the reply to a read is no string");
          parts = readParts(reply);
          if (parts.length !== reads.length + 1) throw new RangeError("the reply to a read is not complete");
        } catch (cause) {
          return reject(new RedisError("ERR the reply makes no sense", { cause }));
        }
        this.#told(Number(textOf(parts.at(-1))));
        for (let i = 0; i < reads.length; i++) reads[i]!.resolve(parts[i]!);
      },
      reject,
    }, { whole: READ.isNew(this.#batch) });
    const written = (now: number) => {
      for (const { within } of reads) within?.begin(now);
    };
    return { ...call, written };
  }
}

function clamp(count: number, most: number): number {
  return Math.max(0, Math.min(count, most));
}
