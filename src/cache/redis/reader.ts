import { RedisError, type UnavailableError } from "../../errors.ts";
import type { Call, CallSource } from "../../redis/batch.ts";
import { Deadline } from "../../redis/deadline.ts";
import { unreadableReply } from "../../redis/unreadable_reply.ts";
import type { Read, ReadOptions } from "../store.ts";
import { EntryReader } from "./entry_reader.ts";
import type { Moment } from "./judge_read.ts";
import { type Marks, NO_LEDGER } from "./ledger_marks.ts";
import { PendingRead, TRIES } from "./pending_read.ts";
import { isOfAnotherType, PlainRead } from "./plain_read.ts";
import { ReadQueue } from "./read_queue.ts";
import { NOTE } from "./read_script.ts";
import { ReadSettler } from "./read_settler.ts";
import type { ReaderHost } from "./reader_host.ts";
import type { ReadsOfWrite } from "./reads_out.ts";
import { alike, type ScriptAnswer, ScriptRead } from "./script_read.ts";

/** Most keys of one script call; more are split. */
const KEYS_PER_CALL = 500;
const NONE: readonly ScriptRead[] = [];
/** A server is far away where so many round trips take as long as a command may. */
const FAR = 4;
/**
 * Turns the reads of one tick into one write, and what comes of it into judged entries. Most go without a script, see
 * `plain_read.ts`; {@linkcode READ} is for the news of the ledger, for leases, and for tags of which this process has
 * not kept track.
 */
export class RedisReader implements CallSource {
  readonly operation: string = "read cache entries";
  readonly #host: ReaderHost;
  readonly #queue: ReadQueue;
  readonly #settler: ReadSettler;
  #joined = false;
  /** The call that brings news, while it is on its way. */
  #news: ScriptRead | undefined;
  /** Plain reads that wait for the next one. */
  #uninformed: PlainRead[] = [];

  constructor(host: ReaderHost) {
    this.#host = host;
    const settler = this.#settler = new ReadSettler(host, {
      askAgain: (read) => this.#askAgain(read),
      repeat: (read) => this.#repeat(read),
      lose: (read, error) => this.#lose([read], error),
    });
    const { probe, asksAtOnce } = settler;
    this.#queue = new ReadQueue({ entries: host.entries, longest: host.longest, probe, asksAtOnce });
  }

  /** Reads a key with the next batch. `within` is the deadline of who has waited for something else before. */
  read(key: string, options: ReadOptions, within?: Deadline): Promise<Read> {
    const same = this.#queue.find(key, options);
    if (same) {
      same.join(within, options.signal);
      return same.promise;
    }
    const { batch } = this.#host;
    if (this.#queue.length >= batch.maxQueued) {
      return Promise.reject(batch.diagnosis.unavailable(this.operation, "overload"));
    }
    const read = new PendingRead(key, options, within);
    this.#queue.add(read);
    this.#join();
    return read.promise;
  }

  take(): Call[] {
    this.#joined = false;
    const check = this.#host.run.flag === "1";
    const { leased, others, plain, bytes } = this.#queue.take(check || this.#asksScript);
    const asks = check || leased.length + others.length + this.#uninformed.length > 0;
    const scripts = asks ? this.#scripts(leased, others, check) : NONE;
    const calls = scripts.map((script) => script.call());
    for (const { reads } of scripts) this.#queue.scriptsOut.add(reads.length);
    if (plain.length > 0) calls.push(...this.#plain(plain, scripts[0], bytes).calls());
    // Where nothing fits any more, those that are on their way make room.
    if (calls.length > 0) this.#goOn();
    return calls;
  }

  fail(error: UnavailableError): void {
    this.#joined = false;
    const groups = this.#uninformed.splice(0);
    for (const { reads } of groups) this.#reject(reads, error);
    this.#reject(this.#queue.clear(), error);
  }

  #join(): void {
    if (this.#joined) return;
    this.#joined = true;
    this.#host.batch.join(this);
  }

  /**
   * Whether all goes by script: where nothing is known of the ledger, and where the server is so far away that nothing
   * may take two trips.
   */
  get #asksScript(): boolean {
    const { known, batch } = this.#host;
    return known.epoch === 0 || (batch.roundTrip ?? 0) > batch.commandTimeout / FAR;
  }

  /** What waits goes with the next write. */
  #goOn(): void {
    if (this.#queue.length > 0) this.#join();
  }

  /** The reads of a write that go without a script. `sentBefore` are the news that go in front of them. */
  #plain(reads: readonly PendingRead[], sentBefore: ScriptRead | undefined, bytes: ReadsOfWrite): PlainRead {
    const { batch, prefix, ledger } = this.#host;
    return new PlainRead(reads, batch.client.generation, {
      prefix,
      ledger,
      written: this.#written,
      answered: (group) => {
        const took = group.marks instanceof Error ? Infinity : performance.now() - group.sentAt;
        this.#queue.out.learn(bytes.bytes, took, batch.commandTimeout);
        bytes.end();
        try {
          this.#answeredPlain(group, sentBefore);
        } catch (cause) {
          this.#lose(reads, unreadableReply(cause)); // whatever it is, it is no fault of those who read
        }
        this.#goOn();
      },
    });
  }

  /** The calls of the script: the first one brings the news to those who wait for them. */
  #scripts(leased: PendingRead[], others: PendingRead[], check: boolean): ScriptRead[] {
    const host = {
      store: this.#host,
      written: this.#written,
      answered: this.#answeredScript,
      outdated: this.#outdatedScript,
      failed: this.#failedScript,
    };
    const scripts: ScriptRead[] = [];
    for (const same of alike(leased)) {
      for (let i = 0; i < same.length; i += KEYS_PER_CALL) {
        const part = same.slice(i, i + KEYS_PER_CALL);
        scripts.push(new ScriptRead(host, part, others.splice(0, KEYS_PER_CALL - part.length), check));
      }
    }
    while (others.length > 0) scripts.push(new ScriptRead(host, [], others.splice(0, KEYS_PER_CALL), check));
    if (scripts.length === 0 && (check || this.#uninformed.length > 0)) {
      scripts.push(new ScriptRead(host, [], [], check));
    }
    if (scripts[0]) {
      this.#news = scripts[0];
      this.#news.waiting.push(...this.#uninformed.splice(0));
    }
    return scripts;
  }

  readonly #written = (reads: readonly PendingRead[], now: number): void => {
    const end = now + this.#host.batch.commandTimeout;
    for (const read of reads) if (read.deadline === Infinity) read.deadline = end;
  };

  #answeredPlain(group: PlainRead, sentBefore: ScriptRead | undefined): void {
    const { batch, known, owed } = this.#host;
    const { marks, generation } = group;
    if (isOfAnotherType(marks)) {
      group.marks = NO_LEDGER;
      return this.#wait(group);
    }
    if (marks instanceof Error || marks === undefined) return this.#lose(group.reads, marks);
    // The client connected anew meanwhile, perhaps to a server that has forgotten: ask again, with a check.
    if (batch.client.generation !== generation) return this.#repeatAll(group.reads);
    this.#host.clock.received(Math.floor(marks.time / 1000));
    owed.answered();
    if (sentBefore && !sentBefore.over) return void sentBefore.waiting.push(group);
    // A ledger that is older than what was read of it is not the one that it was.
    if (this.#host.run.isChecked(generation) && known.covers(marks) && known.seen <= marks.last) {
      return this.#judgePlain(group, marks);
    }
    this.#wait(group);
  }

  /** Judges a plain read when the news are here. */
  #wait(group: PlainRead): void {
    // Those that are on their way were sent after what has just been answered.
    if (this.#news) return void this.#news.waiting.push(group);
    this.#uninformed.push(group);
    this.#join();
  }

  /** The news are here. */
  #inform(groups: readonly PlainRead[]): void {
    const { batch, known } = this.#host;
    for (const group of groups) {
      const marks = group.marks as Marks;
      // What was found in another life of the ledger says nothing.
      if (batch.client.generation === group.generation && known.covers(marks)) this.#judgePlain(group, marks);
      else this.#repeatAll(group.reads);
    }
  }

  #judgePlain({ reads, found, reader }: PlainRead, { epoch, last, floor, time }: Marks): void {
    const moment = { epoch, clock: Math.max(time, last), between: last + 0.5, now: Math.floor(time / 1000), floor };
    for (let i = 0; i < reads.length; i++) this.#settler.plain(reads[i]!, found[i], moment, reader);
  }

  readonly #answeredScript = (script: ScriptRead, moment: Moment, answers: readonly ScriptAnswer[]): void => {
    this.#end(script, performance.now() - script.sentAt);
    this.#host.clock.received(moment.now);
    this.#host.owed.answered();
    this.#inform(script.waiting);
    const missing = answers.filter(({ note }) => note && note.kind & NOTE.askAgain).length;
    if (missing > 0) this.#queue.fit = Math.max(1, 2 * (script.reads.length - missing));
    const reader = new EntryReader();
    for (const [i, read] of script.reads.entries()) {
      this.#settler.script(read, answers[i]!, moment, reader, script.token, missing < script.reads.length);
    }
    this.#goOn();
  };

  readonly #outdatedScript = (script: ScriptRead): void => {
    this.#end(script, 0);
    this.#orphan(script);
    this.#repeatAll(script.reads);
    for (const { reads } of script.waiting) this.#repeatAll(reads);
  };

  /** Nobody waits for it any more. */
  #end(script: ScriptRead, took: number): void {
    this.#queue.scriptsOut.end(script.reads.length, took, this.#host.batch.commandTimeout);
    if (this.#news === script) this.#news = undefined;
  }

  readonly #failedScript = (script: ScriptRead, error: unknown): void => {
    this.#end(script, Infinity);
    this.#orphan(script);
    this.#reject(script.reads, error);
    for (const { reads } of script.waiting) this.#reject(reads, error);
    this.#goOn();
  };

  /** Asks once more, with all of its time. */
  #askAgain(read: PendingRead): void {
    read.begunLater();
    this.#queue.addAgain(read);
    this.#join();
  }

  #repeatAll(reads: readonly PendingRead[]): void {
    for (const read of reads) this.#repeat(read);
  }

  #repeat(read: PendingRead): void {
    if (read.ended) return;
    if (++read.tries > TRIES) {
      return read.reject(new RedisError("ERR an entry could not be judged because of many invalidations"));
    }
    const left = read.deadline - performance.now();
    if (left <= 0) return read.reject(this.#host.batch.diagnosis.unavailable(this.operation, "timeout"));
    this.#host.batch.hold(read.promise, new Deadline(left), this.operation).catch((error) => {
      read.ended = true;
      read.reject(error);
    });
    this.#queue.addAgain(read);
    this.#join();
  }

  #orphan({ reads, leases, token }: ScriptRead): void {
    for (let i = 0; i < leases; i++) this.#host.owed.owe(reads[i]!.key, token);
  }

  /** Perhaps it was too long: how long it is, is looked at first the next time. */
  #lose(reads: readonly PendingRead[], error: unknown): void {
    for (const { key } of reads) this.#host.entries.forget(key);
    this.#reject(reads, error);
  }

  #reject(reads: readonly PendingRead[], error: unknown): void {
    for (const read of reads) read.reject(error);
  }
}
