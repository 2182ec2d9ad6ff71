import { RedisError, type UnavailableError } from "../../errors.ts";
import type { Batch, Call, CallSource } from "../../redis/batch.ts";
import type { RedisArgument, RedisReply } from "../../redis/client.ts";
import type { Deadline } from "../../redis/deadline.ts";
import type { KnownEntries } from "../known_entries.ts";
import { encodeTags, HEADER, VERSION } from "../entry.ts";
import { WRITE } from "./entry_scripts.ts";
import { nonceFor } from "./nonce.ts";
import { isUnknownScript } from "../../redis/script.ts";
import { Part } from "../parts.ts";
import type { Fence, NewEntry } from "../store.ts";
import { decoder } from "../../util/utf8.ts";

/** A write that waits for the next batch. */
interface Pending {
  readonly key: string;
  readonly tags: readonly string[];
  /** What {@linkcode WRITE} takes. */
  readonly bytes: Uint8Array;
  /** Whether it is no loader's. */
  readonly explicit: boolean;
  /** At its end it must not take effect any more. */
  readonly within: Deadline;
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
  /** What to add to `performance.now()` to get the server's time in milliseconds, or a little less. */
  readonly ahead: number;
  /** How many invalidations were called so far. */
  readonly invalidations: number;
  /** "1" when the server may have been restarted since it was last asked which run it is. */
  check(): "0" | "1";
  /** The server's run was checked on this connection. */
  checked(generation: number): void;
  /** The server's time in milliseconds was this just now, at the earliest. */
  told(now: number): void;
  /** What is remembered of stored entries. */
  readonly entries: KnownEntries;
}

/** Most entries of one script call, and bytes from which on there are no more: a script holds everybody up. */
const ENTRIES_PER_CALL = 100;
const BYTES_PER_CALL = 2 ** 20;
/** How often a write is repeated: because the script was forgotten, and because the server's time was not known. */
const TRIES = 2;
/** Bytes of the numbers in front of the entry. */
const NUMBERS = 48;
/** Where in them is the time from which on an explicit write must not take effect. */
const UNTIL = 16;
/** Bytes of an entry that the server adds: its epoch, its place in the order, three times. */
const ADDED = 40;

/** Turns the writes of one tick into one script call, in their place among the other commands of the tick. */
export class RedisWriter implements CallSource {
  readonly operation: string = "write cache entries";
  readonly ordered: boolean = true;
  readonly #host: WriterHost;
  #waiting: Pending[] = [];
  #joined = false;
  /** What goes with the next write. The rest waits until that has been sent. */
  #part = new Part();

  constructor(host: WriterHost) {
    this.#host = host;
  }

  /** Writes an entry with the next batch. Resolves to whether it was stored. */
  write(key: string, entry: NewEntry, fence: Fence | undefined, within: Deadline): Promise<boolean> {
    const bytes = encode(entry, fence);
    const { invalidations } = this.#host;
    return new Promise((resolve, reject) => {
      const explicit = fence === undefined;
      this.#wait({ key, tags: entry.tags, bytes, explicit, within, invalidations, tries: 0, resolve, reject });
    });
  }

  /**
   * Takes back what was set and not sent yet, because an invalidation comes that would be sent before it.
   *
   * @param fits What the invalidation is for.
   */
  takeBack(fits: (write: { readonly key: string; readonly tags: readonly string[] }) => boolean): TakenBack[] {
    const taken: Pending[] = [];
    // What fits into the next write has its place before the invalidation.
    const next = this.#next();
    this.#waiting = this.#waiting.filter((write, i) => {
      if (i < next || !write.explicit || !fits(write)) return true;
      taken.push(write);
      return false;
    });
    return taken;
  }

  take(): Call[] {
    this.#joined = false;
    const count = this.#next();
    const writes = this.#waiting.splice(0, count);
    const part = this.#part;
    for (const { bytes } of writes) part.add(bytes.length);
    if (this.#waiting.length > 0) part.close(); // what comes behind them does not overtake them
    // Those that wait for their part have a deadline of their own, which counts from its write.
    for (const { within } of this.#waiting) within.extend(Infinity);
    const calls: Call[] = [];
    for (let start = 0, end = 0; start < writes.length; start = end) {
      // Those that have waited for something else share no call with those whose deadline has not begun.
      const begun = hasBegun(writes[start]!);
      const fits = (size: number) => end - start < ENTRIES_PER_CALL && size < BYTES_PER_CALL;
      for (let size = 0; end < writes.length && fits(size) && hasBegun(writes[end]!) === begun; end++) {
        size += writes[end]!.bytes.length;
      }
      calls.push(this.#call(writes.slice(start, end), () => this.#sent(part)));
    }
    return calls;
  }

  fail(error: UnavailableError): void {
    const writes = this.#waiting;
    this.#waiting = [];
    this.#joined = false;
    this.#part = new Part();
    for (const write of writes) write.reject(error);
  }

  /** How many of those that wait go with the next write. */
  #next(): number {
    let count = 0;
    const part = this.#part.copy();
    while (count < this.#waiting.length && part.add(this.#waiting[count]!.bytes.length)) count++;
    return count;
  }

  /** A part is on its way, or never will be. */
  #sent(part: Part): void {
    if (part !== this.#part) return;
    this.#part = new Part();
    if (this.#waiting.length > 0) this.#join();
  }

  #join(): void {
    if (this.#joined) return;
    this.#joined = true;
    this.#host.batch.join(this);
  }

  #wait(write: Pending): void {
    const { batch } = this.#host;
    if (this.#waiting.length >= batch.maxQueued) {
      return write.reject(batch.diagnosis.unavailable(this.operation, "overload"));
    }
    this.#waiting.push(write);
    // What does not fit into the part joins when that is on its way.
    if (this.#waiting.length === 1 && !this.#part.full) this.#join();
  }

  #call(writes: readonly Pending[], sent: () => void): Call {
    const { batch, prefix, ledger, ahead } = this.#host;
    const { generation } = batch.client;
    const check = this.#host.check();
    const args: RedisArgument[] = [writes.length + 1];
    for (const { key } of writes) args.push(prefix + key);
    args.push(ledger, nonceFor(batch.client), check);
    for (const { bytes } of writes) args.push(bytes);
    const handlers = {
      operation: this.operation,
      written: (now: number) => {
        sent();
        for (const { bytes, explicit, within } of writes) {
          const deadline = within.begin(now);
          // Nobody knows when a write that was given up arrives: after its deadline it must not take effect any more.
          if (explicit) new DataView(bytes.buffer).setFloat64(UNTIL, Math.max(0, Math.floor(ahead + deadline)));
        }
      },
      reject: (error: unknown) => {
        sent();
        if (!isUnknownScript(error)) return writes.forEach((write) => write.reject(error));
        batch.scripts.delete(WRITE.sha);
        for (const write of writes) this.#again(write);
      },
      resolve: (reply: RedisReply) => {
        batch.scripts.add(WRITE.sha, generation);
        if (check === "1") this.#host.checked(generation);
        if (typeof reply === "number") {
          this.#host.told(reply);
          return writes.forEach((write) => this.#stored(write));
        }
        if (!Array.isArray(reply) || reply.length !== writes.length) {
          return handlers.reject(new RedisError("ERR the reply to a write is no list"));
        }
        for (let i = 0; i < writes.length; i++) this.#settle(writes[i]!, reply[i]!);
      },
    };
    // All of them begin with this write, or began a moment ago.
    return { ...WRITE.command(args, WRITE.isNew(batch)), ...handlers, within: writes[0]!.within };
  }

  #settle(write: Pending, reply: RedisReply): void {
    if (reply instanceof Uint8Array) {
      const error = new RefusedWriteError(decoder.decode(reply));
      this.#host.batch.diagnosis.refused(this.operation, error);
      return write.reject(error);
    }
    if (reply === 1) return this.#stored(write);
    if (typeof reply !== "number" || reply >= 0) return write.resolve(false);
    this.#host.told(-reply);
    this.#again(write);
  }

  #stored({ key, bytes, resolve }: Pending): void {
    this.#host.entries.note(key, bytes.length - NUMBERS + ADDED);
    resolve(true);
  }

  /** Repeats a write of which nothing was done, unless it would come behind an invalidation that was called after it. */
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

/** What {@linkcode WRITE} takes of an entry: in one piece, since each argument costs the client a while. */
function encode(entry: NewEntry, fence: Fence | undefined): Uint8Array {
  const tags = encodeTags(entry.tags);
  const tagsAt = NUMBERS + HEADER - ADDED;
  const bytes = new Uint8Array(tagsAt + tags.length + entry.payload.length);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, fence?.lease ?? 0);
  view.setFloat64(8, fence?.epoch ?? 0);
  view.setFloat64(16, fence?.clock ?? 0);
  view.setFloat64(24, milliseconds(entry.fresh));
  view.setFloat64(32, milliseconds(entry.stale));
  view.setFloat64(40, milliseconds(entry.error));
  view.setUint8(NUMBERS, VERSION);
  view.setUint8(NUMBERS + 1, entry.flags);
  view.setUint16(NUMBERS + 2, entry.tags.length);
  view.setUint32(NUMBERS + 4, Math.min(2 ** 32 - 1, Math.round(entry.loadTime)));
  view.setUint32(tagsAt - 4, tags.length);
  bytes.set(tags, tagsAt);
  bytes.set(entry.payload, tagsAt + tags.length);
  return bytes;
}

/** A lifetime as the scripts take it: -1 = for ever. */
export function milliseconds(value: number): number {
  return value === Infinity ? -1 : Math.max(1, Math.round(value));
}
