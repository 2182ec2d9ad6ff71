import type { KnownEntries } from "../known_entries.ts";
import { Part } from "../parts.ts";
import type { PendingRead } from "./pending_read.ts";
import type { Probe } from "./probe.ts";
import { type ReadsOfWrite, ReadsOut } from "./reads_out.ts";
import { ScriptsOut } from "./scripts_out.ts";
import type { ReadOptions } from "../store.ts";

/** What a queue goes by. */
export interface ReadQueueHost {
  readonly entries: KnownEntries;
  /** Most bytes of an entry. */
  readonly longest: number;
  readonly probe: Probe;
  /** Whether a read that wants a lease is likely to be granted one, its key being known or not. */
  readonly asksAtOnce: (isKnown: boolean) => boolean;
}

/** The reads of one write. */
export interface TakenReads {
  /** By script: those that want a lease. */
  readonly leased: PendingRead[];
  /** By script: the others. */
  readonly others: PendingRead[];
  /** Without a script. */
  readonly plain: PendingRead[];
  /** How much the replies to the plain ones bring. */
  readonly bytes: ReadsOfWrite;
}

/** Reads that wait for the next write. Those that want the same share one. */
export class ReadQueue {
  readonly #host: ReadQueueHost;
  /** How much the replies will bring that are on their way. */
  readonly out: ReadsOut = new ReadsOut();
  /** How many keys are read by scripts that are on their way. */
  readonly scriptsOut: ScriptsOut = new ScriptsOut();
  #plain = new Map<string, PendingRead>();
  #leased = new Map<string, PendingRead>();
  /** Those that nobody can share: they were sent before, or their callers know more than the server. */
  #own: PendingRead[] = [];
  /** How many of those that did not fit into a reply of the script go at a time. */
  fit = 1;

  constructor(host: ReadQueueHost) {
    this.#host = host;
  }

  get length(): number {
    return this.#plain.size + this.#leased.size + this.#own.length;
  }

  /** One that waits and is for the same. */
  find(
    key: string,
    { lease = 0, proof = lease, unusable = 0, refresh = 0, steal = false }: ReadOptions,
  ): PendingRead | undefined {
    if (unusable !== 0 || refresh !== 0) return undefined;
    const same = lease > 0 ? this.#leased.get(key) : this.#plain.get(key);
    return same?.lease === lease && same.proof === Math.min(lease, proof) && same.steal === steal ? same : undefined;
  }

  /** Adds one that {@linkcode ReadQueue.find} did not find. */
  add(read: PendingRead): void {
    const waiting = read.lease > 0 ? this.#leased : this.#plain;
    // Those that want no lease want the same, so there is none of this key.
    if (read.limited || ((read.lease > 0 || read.steal) && waiting.has(read.key))) this.#own.push(read);
    else waiting.set(read.key, read);
  }

  /** Adds one that was sent before. */
  addAgain(read: PendingRead): void {
    this.#own.push(read);
  }

  /** Takes all of them away. */
  clear(): PendingRead[] {
    const all = [...this.#plain.values(), ...this.#leased.values(), ...this.#own];
    this.#plain = new Map();
    this.#leased = new Map();
    this.#own = [];
    return all;
  }

  /**
   * Takes what goes with one write. What does not fit stays, and has all of its time from then on.
   *
   * @param byScript Whether all goes by script of which was not found before how long it is.
   */
  take(byScript: boolean): TakenReads {
    const own = this.#own;
    const [leased, plain] = [this.#leased, this.#plain];
    if (own.length > 0) this.#own = [];
    if (leased.size > 0) this.#leased = new Map();
    if (plain.size > 0) this.#plain = new Map();
    const taken = new Taking(this.#host, this.out.next(), this.scriptsOut, this.fit, byScript);
    for (const read of own) if (!taken.add(read)) this.#own.push(read);
    for (const read of leased.values()) if (!taken.add(read)) this.#leased.set(read.key, read);
    for (const read of plain.values()) if (!taken.add(read)) this.#plain.set(read.key, read);
    return taken;
  }
}

/** Chooses the reads of one write. */
class Taking implements TakenReads {
  readonly leased: PendingRead[] = [];
  readonly others: PendingRead[] = [];
  readonly plain: PendingRead[] = [];
  readonly #host: ReadQueueHost;
  readonly bytes: ReadsOfWrite;
  readonly #scriptsOut: ScriptsOut;
  readonly #fit: number;
  readonly #byScript: boolean;
  readonly #part = new Part();
  #large = 0;

  constructor(host: ReadQueueHost, bytes: ReadsOfWrite, scriptsOut: ScriptsOut, fit: number, byScript: boolean) {
    this.#scriptsOut = scriptsOut;
    this.#byScript = byScript;
    this.#host = host;
    this.bytes = bytes;
    this.#fit = fit;
  }

  /** Adds one, if it fits; who has gone needs none. */
  add(read: PendingRead): boolean {
    if (read.isOver()) return true;
    const fits = this.#goesByScript(read) ? this.#addScript(read) : this.#addPlain(read);
    if (!fits) read.begunLater();
    return fits;
  }

  #goesByScript(read: PendingRead): boolean {
    if (read.byScript) return true;
    if (read.size !== "unknown") return false; // it was found before
    read.known = this.#host.entries.get(read.key);
    return this.#byScript || (read.lease > 0 && this.#host.asksAtOnce(read.known !== undefined));
  }

  #addScript(read: PendingRead): boolean {
    if (read.large && this.#large >= this.#fit) return false;
    if (!this.#scriptsOut.fits(this.leased.length + this.others.length + 1)) return false;
    if (!this.#part.add(read.key.length)) return false;
    if (read.large) this.#large++;
    (read.lease > 0 ? this.leased : this.others).push(read);
    return true;
  }

  #addPlain(read: PendingRead): boolean {
    const { longest, probe } = this.#host;
    const { known } = read;
    if (read.size === "unknown") {
      // What was too long when it was last looked at may be something else by now.
      const isKnown = known !== undefined && known.bytes <= longest;
      read.bytes = isKnown ? known.bytes : probe.bytes;
      if (isKnown) read.size = "sized";
    }
    const expected = read.size === "sized" ? read.bytes : read.size === "long" ? 0 : probe.expected;
    const fits = this.#part.fits(read.key.length) && this.bytes.add(expected);
    if (fits) {
      this.#part.add(read.key.length);
      this.plain.push(read);
    }
    return fits;
  }
}
