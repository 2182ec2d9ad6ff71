import { VERSION, WireEntry } from "../entry.ts";
import { Coldness } from "../../redis/coldness.ts";
import type { EntryReader } from "./entry_reader.ts";
import { judgeRead, type Moment } from "./judge_read.ts";
import type { TagLookup } from "../invalidations.ts";
import type { PendingRead } from "./pending_read.ts";
import type { Found } from "./plain_read.ts";
import { Probe } from "./probe.ts";
import { NOTE } from "./read_script.ts";
import type { ReaderHost } from "./reader_host.ts";
import type { ScriptAnswer } from "./script_read.ts";

/** Microseconds by which an entry may be newer than the read that finds it. Nothing invalidates one from the future. */
const AHEAD = 3_600_000_000;

/** What becomes of a read that has no answer yet. */
export interface Unsettled {
  /** It is asked for once more, with all of its time. */
  askAgain(read: PendingRead): void;
  /** It is asked for once more, in what is left of its time. */
  repeat(read: PendingRead): void;
  /** It failed. */
  lose(read: PendingRead, error: unknown): void;
}

/** Gives reads what comes of what was found for them, and learns from it. */
export class ReadSettler {
  readonly #host: ReaderHost;
  readonly #on: Unsettled;
  /** Of keys that this process has read or written. */
  readonly #coldness = new Coldness(64, 0);
  /** Of others: they are likely to be missing, until they turn out to be there. */
  readonly #coldnessOfOthers = new Coldness(8, 1);
  /** How much is asked for of values of unknown length. */
  readonly probe: Probe = new Probe();

  constructor(host: ReaderHost, on: Unsettled) {
    this.#host = host;
    this.#on = on;
  }

  /** Whether a read that wants a lease is likely to be granted one, its key being known or not. */
  readonly asksAtOnce = (isKnown: boolean): boolean => (isKnown ? this.#coldness : this.#coldnessOfOthers).cold;

  /** What was found without a script. */
  plain(read: PendingRead, found: Found, moment: Moment, reader: EntryReader): void {
    const { longest, entries } = this.#host;
    if (read.ended) return;
    if (found instanceof Error && !(found instanceof RangeError)) return this.#on.lose(read, found);
    if (typeof found === "number") {
      entries.note(read.key, found);
      if (found > longest) return this.#judge(read, moment, tooLong(longest, found), reader, false, 0, undefined);
      read.size = "sized";
      read.bytes = found;
      return this.#on.askAgain(read);
    }
    if (found instanceof Uint8Array && read.size === "unknown") {
      this.probe.learn(found.length);
      if (found.length >= read.bytes && found[0] === VERSION) {
        read.size = "long";
        return this.#on.askAgain(read);
      }
    }
    this.#judge(read, moment, found, reader, false, 0, undefined);
  }

  /**
   * Gives a read what comes of what was found: an entry, a value, or why there is none that can be read; or has a
   * script asked. One argument each: an object for them would be made for every hit.
   */
  #judge(
    read: PendingRead,
    moment: Moment,
    found: WireEntry | Uint8Array | RangeError | undefined,
    reader: EntryReader,
    byScript: boolean,
    lease: number,
    lookup: TagLookup | undefined,
  ): void {
    const { known, entries, on } = this.#host;
    const wasKnown = read.known !== undefined;
    let entry: WireEntry | undefined;
    let error: RangeError | undefined;
    if (found !== undefined) {
      try {
        // Damaged tags stand for an invalidation that never ends.
        if (lookup?.hard === Infinity) throw new RangeError("Cannot read entry: its tags are damaged");
        entry = entryIn(found, reader);
        if (entry.asOf > moment.clock + AHEAD) {
          throw new RangeError("Cannot read entry: it is from a time that has not come");
        }
      } catch (cause) {
        entry = undefined;
        error = cause as RangeError;
      }
    }
    // Nobody knows how long what comes in place of something else will be.
    if (!entry || entry.placeholder) {
      if (wasKnown) entries.forget(read.key);
    } else if (read.known) read.known.bytes = entry.bytes;
    else read.known = entries.note(read.key, entry.bytes);
    if (error && read.unusable !== Infinity) on?.({ type: "cache.unreadable", key: read.key, error });
    const what = { entry, damaged: error !== undefined, known: entry && read.known, byScript, lease, lookup };
    const judgement = judgeRead(read, moment, what, known, reader.json);
    if (read.lease > 0 && read.tries === 0) {
      const found = byScript ? lease === 0 : judgement !== "ask script";
      (wasKnown ? this.#coldness : this.#coldnessOfOthers).add(found);
    }
    if (judgement === "ask script") this.#on.repeat(read);
    else read.resolve(judgement);
  }

  /** It did not fit into the reply of a script, which is no fault of the store. */
  #didNotFit(read: PendingRead, bytes: number, others: boolean): void {
    read.large = true;
    if (bytes === 0) {
      read.byScript = true;
    } else if (!read.byScript) {
      read.size = "sized";
      read.bytes = bytes;
      this.#host.entries.note(read.key, bytes);
    }
    if (others) this.#on.askAgain(read);
    else this.#on.repeat(read);
  }

  /** Gives back what was granted to somebody who has given up. */
  #giveBack({ key }: PendingRead, lease: number): void {
    if (lease === 0) return;
    this.#host.owed.owe(key, lease);
    this.#host.owed.answered();
  }

  /**
   * What a script said. `token` is that of the leases that it granted; `others` says whether it gave values of others.
   */
  script(
    read: PendingRead,
    { value, note }: ScriptAnswer,
    moment: Moment,
    reader: EntryReader,
    token: number,
    others: boolean,
  ): void {
    const kind = note?.kind ?? 0;
    const lease = kind & NOTE.granted ? token : 0;
    if (read.ended) return this.#giveBack(read, lease);
    // The first value of a reply always fits: where none did, asking again may go on for ever.
    if (kind & NOTE.askAgain) return this.#didNotFit(read, note!.hard, others);
    const found = kind & NOTE.tooLong ? tooLong(this.#host.longest) : value;
    const lookup = kind & NOTE.lookedUp ? note : undefined;
    this.#judge(read, moment, found, reader, true, lease, lookup);
  }
}

/** The entry in what was found. */
function entryIn(found: WireEntry | Uint8Array | RangeError, reader: EntryReader): WireEntry {
  if (found instanceof WireEntry) return found;
  if (found instanceof RangeError) throw found;
  return reader.read(found);
}

function tooLong(longest: number, bytes?: number): RangeError {
  const got = bytes === undefined ? "more" : `${bytes} bytes`;
  return new RangeError(`Cannot read entry: wanted at most ${longest} bytes, got ${got}`);
}
