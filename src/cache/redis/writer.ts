import { RedisError, type UnavailableError } from "../../errors.ts";
import type { Batch, Call, CallSource } from "../../redis/batch.ts";
import type { RedisArgument, RedisReply } from "../../redis/client.ts";
import type { Deadline } from "../../redis/deadline.ts";
import type { KnownEntries } from "../known_entries.ts";
import { WRITE } from "./entry_scripts.ts";
import { nonceFor } from "./nonce.ts";
import type { RunCheck } from "./run_check.ts";
import type { ServerClock } from "./server_clock.ts";
import { isUnknownScript } from "../../redis/script.ts";
import { ADDED, NUMBERS, setUntil, writeArgument } from "./write_argument.ts";
import { type Queued, WriteQueue } from "./write_queue.ts";
import type { Fence, NewEntry } from "../store.ts";
import { decoder } from "../../util/utf8.ts";

/** A write that waits for the next batch; its bytes are what {@linkcode WRITE} takes. */
interface Pending extends Queued {
  readonly tags: readonly string[];
  /** {@linkcode WriterHost.invalidations} when it was called. */
  readonly invalidations: number;
  tries: number;
  resolve(stored: boolean): void;
  reject(error: unknown): void;
}

/** What the store shares with its writer. */
export interface WriterHost {
  readonly batch: Batch;
  readonly prefix: string;
  readonly ledger: string;
  readonly run: RunCheck;
  readonly clock: ServerClock;
  /** How many invalidations were called so far. */
  readonly invalidations: number;
  /** What is remembered of stored entries. */
  readonly entries: KnownEntries;
}

/** Most entries of one script call, and bytes from which on there are no more: a script holds everybody up. */
const ENTRIES_PER_CALL = 100;
const BYTES_PER_CALL = 2 ** 20;
/** How often a write is repeated: because the script was forgotten, and because the server's time was not known. */
const TRIES = 2;

/** Turns the writes of one tick into one script call, in their place among the other commands of the tick. */
export class RedisWriter implements CallSource {
  readonly operation: string = "write cache entries";
  readonly ordered: boolean = true;
  readonly #host: WriterHost;
  readonly #queue = new WriteQueue<Pending>();
  /** Those of calls that are out, in their order. */
  readonly #out = new Set<readonly Pending[]>();
  #joined = false;

  constructor(host: WriterHost) {
    this.#host = host;
  }

  /** Writes an entry with the next batch. Resolves to whether it was stored. */
  write(key: string, entry: NewEntry, fence: Fence | undefined, within: Deadline): Promise<boolean> {
    const bytes = writeArgument(entry, fence);
    const { invalidations } = this.#host;
    return new Promise((resolve, reject) => {
      const explicit = fence === undefined;
      this.#wait({ key, tags: entry.tags, bytes, explicit, within, invalidations, tries: 0, resolve, reject });
    });
  }

  /**
   * Takes back what was set and not sent yet, because an invalidation comes that would be sent before it. What goes
   * with the next write has its place before the invalidation.
   *
   * @param fits What the invalidation is for.
   */
  takeBack(fits: (write: { readonly key: string; readonly tags: readonly string[] }) => boolean): TakenBack[] {
    return this.#queue.takeBack(fits);
  }

  /**
   * Has a key written with the next part, if it waits for a later one. Resolves when it has its place in front of what
   * comes now.
   */
  hurryKey(key: string): Promise<void> | undefined {
    return this.#queue.hurryKey(key);
  }

  /**
   * As {@linkcode RedisWriter.hurryKey}, for all that fit. What is called later has its place behind what comes then.
   */
  hurry(fits: (write: { readonly tags: readonly string[] }) => boolean): Promise<void> | undefined {
    return this.#queue.hurry(fits);
  }

  take(): Call[] {
    this.#joined = false;
    const { writes, part } = this.#queue.take();
    const sent = () => {
      if (this.#queue.sent(part)) this.#join();
    };
    const calls: Call[] = [];
    for (let start = 0, end = 0; start < writes.length; start = end) {
      // Those that have waited for something else share no call with those whose deadline has not begun.
      const begun = hasBegun(writes[start]!);
      const fits = (size: number) => end - start < ENTRIES_PER_CALL && size < BYTES_PER_CALL;
      for (let size = 0; end < writes.length && fits(size) && hasBegun(writes[end]!) === begun; end++) {
        size += writes[end]!.bytes.length;
      }
      calls.push(this.#call(writes.slice(start, end), sent));
    }
    return calls;
  }

  fail(error: UnavailableError): void {
    this.#joined = false;
    for (const write of this.#queue.clear()) write.reject(error);
  }

  #join(): void {
    if (this.#joined) return;
    this.#joined = true;
    this.#host.batch.join(this);
  }

  #wait(write: Pending): void {
    const { batch } = this.#host;
    if (this.#queue.length >= batch.maxQueued) {
      return write.reject(batch.diagnosis.unavailable(this.operation, "overload"));
    }
    // What does not go with the next write joins when that is on its way.
    if (write.tries === 0 ? this.#queue.add(write) : this.#queue.addAgain(write)) this.#join();
  }

  #call(writes: readonly Pending[], sent: () => void): Call {
    const { batch, prefix, ledger, clock: { ahead } } = this.#host;
    const { generation } = batch.client;
    const check = this.#host.run.flag;
    const args: RedisArgument[] = [writes.length + 1];
    for (const { key } of writes) args.push(prefix + key);
    args.push(ledger, nonceFor(batch.client), check);
    for (const { bytes } of writes) args.push(bytes);
    this.#out.add(writes);
    const handlers = {
      operation: this.operation,
      written: (now: number) => {
        sent();
        for (const { bytes, explicit, within } of writes) {
          const deadline = within.begin(now);
          // Nobody knows when a write that was given up arrives: after its deadline it must not take effect any more.
          if (explicit) setUntil(bytes, Math.max(0, Math.floor(ahead + deadline)));
        }
      },
      reject: (error: unknown) => {
        sent();
        const unknown = isUnknownScript(error);
        if (unknown) batch.scripts.delete(WRITE.sha);
        else writes.forEach((write) => write.reject(error));
        this.#ended(writes, unknown ? writes : []);
      },
      resolve: (reply: RedisReply) => {
        batch.scripts.add(WRITE.sha, generation);
        if (check === "1") this.#host.run.checked(generation);
        if (typeof reply === "number") {
          this.#host.clock.received(reply);
          writes.forEach((write) => this.#stored(write));
          return this.#ended(writes, []);
        }
        if (!Array.isArray(reply) || reply.length !== writes.length) {
          return handlers.reject(new RedisError("ERR the reply to a write is no list"));
        }
        this.#ended(writes, writes.filter((write, i) => !this.#settle(write, reply[i]!)));
      },
    };
    // All of them begin with this write, or began a moment ago.
    return { ...WRITE.command(args, WRITE.isNew(batch)), ...handlers, within: writes[0]!.within };
  }

  /** Whether a write is over; if not, nothing was done. */
  #settle(write: Pending, reply: RedisReply): boolean {
    if (reply instanceof Uint8Array) {
      const error = new RefusedWriteError(decoder.decode(reply));
      this.#host.batch.diagnosis.refused(this.operation, error);
      write.reject(error);
    } else if (typeof reply === "number" && reply < 0) {
      this.#host.clock.received(-reply);
      return false;
    } else if (reply === 1) {
      this.#stored(write);
    } else {
      write.resolve(false);
    }
    return true;
  }

  /**
   * A call was answered; some of its writes are to be repeated, unless the same key was set since: that decides what
   * becomes of it.
   */
  #ended(writes: readonly Pending[], undone: readonly Pending[]): void {
    const again = undone.filter((write) => !write.explicit || !this.#isSetSince(write, writes));
    for (const write of undone) if (!again.includes(write)) write.resolve(true);
    this.#out.delete(writes);
    for (const write of again) this.#again(write);
  }

  #isSetSince(write: Pending, writes: readonly Pending[]): boolean {
    const same = (other: Pending) => other.explicit && other.key === write.key;
    if (this.#queue.has(write.key) || writes.slice(writes.indexOf(write) + 1).some(same)) return true;
    let since = false;
    for (const others of this.#out) {
      if (since && others.some(same)) return true;
      since ||= others === writes;
    }
    return false;
  }

  #stored({ key, bytes, resolve }: Pending): void {
    this.#host.entries.note(key, bytes.length - NUMBERS + ADDED);
    resolve(true);
  }

  /**
   * Repeats a write of which nothing was done, unless it would come behind an invalidation that was called after it.
   */
  #again(write: Pending): void {
    const overtaken = write.explicit && write.invalidations !== this.#host.invalidations;
    if (overtaken || ++write.tries > TRIES || performance.now() >= write.within.end) {
      return write.reject(this.#host.batch.diagnosis.unavailable(this.operation, "timeout"));
    }
    this.#wait(write);
  }
}

/** A write that was taken back. */
export interface TakenBack {
  readonly key: string;
  /** What came of it: the invalidation took its place, which is as good as stored. */
  resolve(stored: boolean): void;
  /** It may still be there as it was before. */
  reject(error: unknown): void;
}

function hasBegun({ within }: Pending): boolean {
  return within.end !== Infinity;
}

/** What a server said instead of storing one entry of several. Nothing is at its key then. */
export class RefusedWriteError extends RedisError {
  override readonly name: string = "RedisError";
}
