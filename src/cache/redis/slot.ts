import type { EventListener } from "../../observe/events.ts";
import type { Batch } from "../../redis/batch.ts";
import type { RedisReply } from "../../redis/client.ts";
import type { Deadline } from "../../redis/deadline.ts";
import { compileGlob } from "../../util/glob.ts";
import { REMOVE, TOUCH } from "./entry_scripts.ts";
import { CLEAR, INVALIDATE, SHOW_PATTERN, SWEEP } from "./invalidation_scripts.ts";
import { longestEntry, MAX_BYTES } from "../entry.ts";
import { InvalidationReplica } from "../invalidations.ts";
import { KnownEntries } from "../known_entries.ts";
import { OwedLeases } from "./owed_leases.ts";
import { type LeaseAction, RedisLeases } from "./leases.ts";
import { RedisReader } from "./reader.ts";
import type { ReaderHost } from "./reader_host.ts";
import { RunCheck } from "./run_check.ts";
import { ServerClock } from "./server_clock.ts";
import { ownerNode, scanKeys } from "./slot_keys.ts";
import { SlotScripts } from "./slot_scripts.ts";
import { milliseconds } from "./write_argument.ts";
import { RedisWriter, type TakenBack, type WriterHost } from "./writer.ts";
import type { Fence, InvalidationMode, NewEntry, Read, ReadOptions } from "../store.ts";
import { decoder } from "../../util/utf8.ts";

/** Most keys of one script call. */
const KEYS_PER_CALL = 500;
/** Most tags of one script call. */
const TAGS_PER_CALL = 1000;
/** Most invalidation records in the ledger of one slot; the oldest quarter goes when there are more. */
const RECORDS = 100_000;

/**
 * The part of a cache that lives in one Redis hash slot: entries, their leases and the ledger of invalidations. A cache
 * on a single server has one; on a cluster it has as many as it has buckets.
 */
export class RedisSlot implements ReaderHost, WriterHost {
  readonly batch: Batch;
  readonly prefix: string;
  readonly ledger: string;
  readonly longest: number;
  readonly known: InvalidationReplica = new InvalidationReplica();
  readonly entries: KnownEntries = new KnownEntries();
  readonly on: EventListener | undefined;
  readonly owed: OwedLeases = new OwedLeases((key, lease, pause) => this.lease(key, lease, "release", pause));
  readonly #reader: RedisReader;
  readonly #writer: RedisWriter;
  readonly #leases: RedisLeases;
  readonly run: RunCheck;
  readonly clock: ServerClock;
  readonly #scripts: SlotScripts;
  /** How many invalidations were called so far. */
  invalidations = 0;

  /** `longest` is how many bytes an entry may have. */
  constructor(batch: Batch, tag: string, on: EventListener | undefined, longest: number = longestEntry(MAX_BYTES)) {
    this.batch = batch;
    this.longest = longest;
    this.prefix = `{${tag}}:c:`;
    this.ledger = `{${tag}}:ledger`;
    this.on = on;
    this.run = new RunCheck(batch.client);
    this.clock = new ServerClock(batch, this.ledger);
    this.#scripts = new SlotScripts(batch, this.ledger, this.run);
    this.#reader = new RedisReader(this);
    this.#writer = new RedisWriter(this);
    this.#leases = new RedisLeases(this);
  }

  /** Reads a key. It finds what this process has set before. */
  read(key: string, options: ReadOptions, within?: Deadline): Promise<Read> {
    const written = this.#writer.hurryKey(key);
    if (!written) return this.#reader.read(key, options, within);
    return written.then(() => this.#reader.read(key, options, within));
  }

  write(key: string, entry: NewEntry, fence: Fence | undefined, within: Deadline): Promise<boolean> {
    return this.#writer.write(key, entry, fence, within);
  }

  async touch(key: string, fresh: number): Promise<boolean> {
    const written = this.#writer.hurryKey(key);
    if (written) await written;
    return await this.#scripts.run(TOUCH, [this.prefix + key], [milliseconds(fresh)], "touch cache entry") === 1;
  }

  /** Does something with a lease. Resolves to whether it was held. */
  lease(key: string, token: number, action: LeaseAction, ms: number): Promise<boolean> {
    return this.#leases.keep(key, token, action, ms);
  }

  async remove(keys: readonly string[]): Promise<number> {
    this.invalidations++;
    const those = new Set(keys);
    return await this.#inPlaceOf(this.#writer.takeBack(({ key }) => those.has(key)), this.#remove(keys));
  }

  async #remove(keys: readonly string[]): Promise<number> {
    const calls: Promise<RedisReply>[] = [];
    for (let i = 0; i < keys.length; i += KEYS_PER_CALL) {
      const part = keys.slice(i, i + KEYS_PER_CALL).map((key) => this.prefix + key);
      calls.push(this.#scripts.run(REMOVE, part, [], "invalidate cache keys"));
    }
    return (await Promise.all(calls)).reduce<number>((sum, reply) => sum + Number(reply), 0);
  }

  async invalidateTags(tags: readonly string[], mode: InvalidationMode): Promise<void> {
    if (tags.length === 0) return;
    const those = new Set(tags);
    const fits = (write: { readonly tags: readonly string[] }) => write.tags.some((tag) => those.has(tag));
    // What is to be served once more has to be there.
    const written = mode === "stale" ? this.#writer.hurry(fits) : undefined;
    if (written) await written;
    this.invalidations++;
    const taken = mode === "hard" ? this.#writer.takeBack(fits) : [];
    const calls: Promise<RedisReply>[] = [];
    for (let i = 0; i < tags.length; i += TAGS_PER_CALL) {
      const part = tags.slice(i, i + TAGS_PER_CALL);
      const args = [mode === "hard" ? "h:" : "s:", RECORDS, ...part];
      calls.push(this.#scripts.run(INVALIDATE, [], args, "invalidate cache tags"));
    }
    // What they were to replace may have other tags.
    const removed = this.#remove(taken.map(({ key }) => key));
    const [clocks] = await this.#inPlaceOf(taken, Promise.all([Promise.all(calls), removed]));
    // What this process did, it knows at once.
    for (const [i, tag] of tags.entries()) this.known.addTag(tag, mode, Number(clocks[Math.floor(i / TAGS_PER_CALL)]));
  }

  /** Makes what matches invisible. Resolves to the clock for {@linkcode RedisSlot.sweep}. */
  async hidePattern(glob: string): Promise<number> {
    this.invalidations++;
    const matches = compileGlob(glob);
    const taken = this.#writer.takeBack(({ key }) => matches(key));
    const run = this.#scripts.run(INVALIDATE, [], ["p:", RECORDS, glob], "invalidate cache pattern");
    const at = Number(await this.#inPlaceOf(taken, run));
    this.known.addBarrier(glob, at);
    return at;
  }

  /** An invalidation comes in place of what was set before it and had not been sent. */
  async #inPlaceOf<T>(taken: readonly TakenBack[], invalidation: Promise<T>): Promise<T> {
    try {
      const result = await invalidation;
      for (const write of taken) write.resolve(true);
      return result;
    } catch (error) {
      for (const write of taken) write.reject(error);
      throw error;
    }
  }

  async showPattern(glob: string, at: number): Promise<void> {
    await this.#scripts.run(SHOW_PATTERN, [], [at, glob], "end invalidation of a pattern");
  }

  /**
   * Reads what is new in the ledger. Resolves to the marks of changes that could not be published: different
   * after each.
   */
  async look(): Promise<string> {
    const options = { operation: "look for silent changes" };
    const reply = await this.batch.send("ZMSCORE", [this.ledger, "e", "q", "k", "i"], options);
    const marks = (reply as (Uint8Array | null)[]).map((mark) => mark && decoder.decode(mark));
    const [epoch, , last, newest] = marks.map((mark) => -Number(mark));
    const { known } = this;
    // A read of what cannot be there brings all that is new, and mends what is not as it should be.
    if (epoch !== known.epoch || !(newest! <= known.seen) || !(last! >= known.seen)) await this.#reader.read("", {});
    return marks.slice(0, 2).join();
  }

  async clear(): Promise<void> {
    this.invalidations++;
    const taken = this.#writer.takeBack(() => true);
    await this.#inPlaceOf(taken, this.#scripts.run(CLEAR, [], [], "clear cache"));
    this.known.epoch = 0;
  }

  /** Removes all keys, a batch at a time, and the ledger last. What is read after that is born anew. */
  async *drop(): AsyncGenerator<number> {
    const options = { operation: "drop namespace", route: this.ledger };
    for await (const keys of this.#scan("*")) {
      if (keys.length > 0) yield Number(await this.batch.send("UNLINK", keys, options));
    }
    await this.batch.send("UNLINK", [this.ledger], options);
    this.known.epoch = 0;
  }

  /**
   * Removes entries that an invalidation has hidden, a batch of keys at a time.
   *
   * @param glob Which keys.
   * @param at The clock of the invalidation; 0 = those of another epoch only.
   */
  async *sweep(glob: string, at: number): AsyncGenerator<number> {
    for await (const keys of this.#scan(glob)) {
      if (keys.length > 0) yield Number(await this.#scripts.run(SWEEP, keys, [at], "remove cache entries"));
    }
  }

  /** Walks over the entries that match and can be served. */
  async *inspect(glob: string): AsyncGenerator<[string, Read]> {
    for await (const keys of this.#scan(glob)) {
      const names = [...new Set(keys.map((key) => decoder.decode(key).slice(this.prefix.length)))];
      const reads = await Promise.all(names.map((name) => this.#reader.read(name, {})));
      for (const [i, name] of names.entries()) if (reads[i]!.entry) yield [name, reads[i]!];
    }
  }

  /** Which server has the keys, if one has all of them. */
  async ownerNode(): Promise<string | undefined> {
    return await ownerNode(this.batch, this.ledger);
  }

  #scan(glob: string): AsyncGenerator<Uint8Array[]> {
    return scanKeys(this.batch, this.prefix, glob, this.ledger);
  }
}
