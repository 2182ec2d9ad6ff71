import { RedisError, type UnavailableError } from "../../errors.ts";
import type { EventListener } from "../../observe/events.ts";
import type { Batch, Call, CallSource } from "../../redis/batch.ts";
import type { RedisArgument } from "../../redis/client.ts";
import { Deadline } from "../../redis/deadline.ts";
import { unreadableReply } from "../../redis/unreadable_reply.ts";
import { nonce, nonceFor } from "./nonce.ts";
import type { OwedLeases } from "./owed_leases.ts";
import { Part } from "../parts.ts";
import { LONGEST_LEASE, type WireEntry } from "../entry.ts";
import type { Invalidations, TagLookup, Verdict } from "../invalidations.ts";
import { encodeRequest, READ } from "./read_script.ts";
import { type News, readNews, ReadReply } from "./read_reply.ts";
import { stateOf } from "../state.ts";
import type { Read } from "../store.ts";

/** A read that waits for the next batch, shared by all who want the same key in the same way. */
interface Pending {
  readonly key: string;
  readonly lease: number;
  readonly proof: number;
  /** > 0: what is as old is known to be invalid; < 0: what is as old is known to be stale. */
  limit: number;
  tries: number;
  /** When it ends, by `performance.now()`; it counts from its first write. */
  deadline: number;
  /** Deadlines of callers that had begun before. */
  readonly begun: Deadline[];
  /** Whether it did not fit into a reply with others. */
  large: boolean;
  /** Whether it was given up. */
  ended: boolean;
  readonly promise: Promise<Read>;
  resolve(read: Read): void;
  reject(error: unknown): void;
}

/** Reads that go into one call. */
interface Group {
  readonly reads: Pending[];
  readonly leases: number;
  readonly token: number;
  readonly generation: number;
  readonly checked: boolean;
}

/** Most keys of one script call; more are split. */
const KEYS_PER_CALL = 500;
/** How often a read is repeated before it counts as a miss; more than one repetition means heavy invalidation. */
const TRIES = 5;
/** Microseconds by which an entry may be newer than the read that finds it. Nothing invalidates one from the future. */
const AHEAD = 3_600_000_000;

/** What the store shares with its reader. */
export interface ReaderHost {
  readonly batch: Batch;
  readonly prefix: string;
  readonly ledger: string;
  readonly known: Invalidations;
  readonly on: EventListener | undefined;
  /** "1" when the server may have been restarted since it was last asked which run it is. */
  check(): "0" | "1";
  /** The server's run was checked on this connection. */
  checked(generation: number): void;
  /** The server's time in milliseconds was this just now, at the earliest. */
  told(now: number): void;
  /** Leases that may have been granted by calls whose reply was lost. */
  readonly owed: OwedLeases;
}

/** Turns all reads of one write into one script call, and its one reply into judged entries. */
export class RedisReader implements CallSource {
  readonly operation: string = "read cache entries";
  readonly #host: ReaderHost;
  #plain = new Map<string, Pending>();
  #leased = new Map<string, Pending>();
  #again: Pending[] = [];
  #joined = false;
  /** How many of those that did not fit into a reply are asked for at a time. */
  #fit = 1;

  constructor(host: ReaderHost) {
    this.#host = host;
  }

  /**
   * Reads a key with the next batch; `lease` asks for one of so many milliseconds, 0 for none, negative
   * also from who holds it, `proof` for how many until it is extended. `limit` > 0: what is as old is of
   * no use; < 0: what is as old is to be refreshed. `within` is the deadline of who has waited for something else before.
   */
  read(key: string, lease: number, proof: number = lease, limit: number = 0, within?: Deadline): Promise<Read> {
    if (limit !== 0) {
      const pending = this.#pending(key, lease, proof, within);
      pending.limit = limit;
      this.#again.push(pending);
      this.#join();
      return pending.promise;
    }
    const waiting = lease !== 0 ? this.#leased : this.#plain;
    const known = waiting.get(key);
    if (known && known.lease === lease && known.proof === proof) {
      if (within) known.begun.push(within);
      return known.promise;
    }
    if (this.#plain.size + this.#leased.size + this.#again.length >= this.#host.batch.maxQueued) {
      return Promise.reject(this.#host.batch.diagnosis.unavailable(this.operation, "overload"));
    }
    const pending = this.#pending(key, lease, proof, within);
    if (known) this.#again.push(pending);
    else waiting.set(key, pending);
    this.#join();
    return pending.promise;
  }

  fail(error: UnavailableError): void {
    const reads = [...this.#plain.values(), ...this.#leased.values(), ...this.#again];
    this.#plain = new Map();
    this.#leased = new Map();
    this.#again = [];
    this.#joined = false;
    for (const read of reads) read.reject(error);
  }

  take(): Call[] {
    this.#joined = false;
    const part = new Part();
    let large = 0;
    const left: Pending[] = [];
    const again = this.#again.filter((read) => {
      if (read.ended) return false;
      if (!(read.large && ++large > this.#fit) && part.add(read.key.length)) return true;
      left.push(read);
      return false;
    });
    this.#again = left;
    const repeated = again.filter((read) => read.lease !== 0);
    let leased = [...takeFrom(this.#leased, part), ...repeated];
    const plain = [...takeFrom(this.#plain, part), ...again.filter((read) => read.lease === 0)];
    if (left.length + this.#leased.size + this.#plain.size > 0) this.#leave();
    const calls: Call[] = [];
    // One lease time per call; who wants another goes in a call of its own, which in practice nobody does. And each key once:
    // a call reads all keys before it grants leases, so the second of two would be granted the same lease.
    while (leased.length > 0) {
      const { lease, proof } = leased[0]!;
      const keys = new Set<string>();
      const same: Pending[] = [];
      const rest: Pending[] = [];
      for (const read of leased) {
        const fits = read.lease === lease && read.proof === proof && (repeated.length === 0 || !keys.has(read.key));
        if (fits && repeated.length > 0) keys.add(read.key);
        (fits ? same : rest).push(read);
      }
      leased = rest;
      for (let i = 0; i < same.length; i += KEYS_PER_CALL) {
        const part = same.slice(i, i + KEYS_PER_CALL);
        calls.push(this.#call(part, plain.splice(0, KEYS_PER_CALL - part.length)));
      }
    }
    while (plain.length > 0) calls.push(this.#call([], plain.splice(0, KEYS_PER_CALL)));
    return calls;
  }

  /** What does not go with this write goes with the next one, and has all of its time from then on. */
  #leave(): void {
    for (const reads of [this.#again, this.#leased.values(), this.#plain.values()]) {
      for (const read of reads) begunLater(read);
    }
    this.#join();
  }

  #join(): void {
    if (this.#joined) return;
    this.#joined = true;
    this.#host.batch.join(this);
  }

  #call(leased: Pending[], plain: Pending[]): Call {
    const { batch, prefix, ledger, known } = this.#host;
    const reads = leased.length === 0 ? plain : leased.concat(plain);
    const check = this.#host.check();
    const token = leased.length === 0 ? 0 : nonce();
    const args: RedisArgument[] = [reads.length + 1];
    for (const read of reads) args.push(prefix + read.key);
    const request = encodeRequest({
      epoch: known.epoch,
      seen: known.seen,
      floor: known.floor,
      token,
      lease: leased[0]?.lease ?? 0,
      proof: leased[0]?.proof ?? 0,
      wanted: leased.length,
      limits: leased.some((read) => read.limit !== 0) ? leased.map((read) => read.limit) : [],
    });
    args.push(ledger, nonceFor(batch.client), check, request);
    const group: Group = {
      reads,
      leases: leased.length,
      token,
      generation: batch.client.generation,
      checked: check === "1",
    };
    const call = READ.call(batch, args, {
      operation: this.operation,
      resolve: (reply) => {
        try {
          if (!(reply instanceof Uint8Array)) throw new RedisError("ERR the reply to a read is no string");
          this.#answered(group, reply);
        } catch (cause) {
          // Whatever it is, it is no fault of those who read.
          const error = cause instanceof RedisError ? cause : unreadableReply(cause);
          for (const read of reads) read.reject(error);
        }
      },
      reject: (error) => {
        this.#orphan(group);
        for (const read of reads) read.reject(error);
      },
    });
    const written = (now: number) => {
      for (const read of reads) if (read.deadline === Infinity) read.deadline = now + batch.commandTimeout;
    };
    return { ...call, written };
  }

  #answered(group: Group, reply: Uint8Array): void {
    const { batch } = this.#host;
    if (group.checked) this.#host.checked(group.generation);
    else if (batch.client.generation !== group.generation) {
      // The client connected anew meanwhile, perhaps to a server that has forgotten: ask again, with a check.
      this.#orphan(group);
      for (const read of group.reads) this.#repeat(read);
      return;
    }
    const found = new ReadReply(reply);
    if (found.count !== group.reads.length) throw new RangeError("the reply to a read is not complete");
    const news = readNews(found.news, this.#host.known, this.#host.on);
    this.#host.told(news.now);
    this.#host.owed.answered();
    let missing = 0;
    for (const note of news.notes?.values() ?? []) if (note.kind & 8) missing++;
    if (missing > 0) this.#fit = Math.max(1, 2 * (group.reads.length - missing));
    for (let i = 0; i < group.reads.length; i++) {
      const read = group.reads[i]!;
      const note = news.notes?.get(i);
      if (read.ended) this.#missed(read, note !== undefined && (note.kind & 2) !== 0 ? group.token : 0);
      else if (note === undefined) this.#judge(read, news, found, i, 0, undefined);
      // The first value of a reply always fits: where none did, asking again may go on for ever.
      else if (note.kind & 8) missing < group.reads.length ? this.#askAgain(read) : this.#repeat(read);
      else this.#judge(read, news, found, i, note.kind & 2 ? group.token : 0, note.kind & 4 ? note : undefined);
    }
  }

  #judge(
    read: Pending,
    news: News,
    found: ReadReply,
    i: number,
    lease: number,
    lookup: TagLookup | undefined,
  ): void {
    const { epoch, clock, now } = news;
    if (!found.has(i)) {
      return read.resolve({ epoch, clock, now, state: "none", entry: undefined, lease, held: 0, heldFor: 0 });
    }
    let entry: WireEntry | undefined;
    let verdict: Verdict = "invalid";
    try {
      // Damaged tags stand for an invalidation that never ends.
      if (lookup?.hard === Infinity) throw new RangeError("Cannot read entry: its tags are damaged");
      entry = found.entry(i);
      if (entry.asOf > clock + AHEAD) throw new RangeError("Cannot read entry: it is from a time that has not come");
      if (!entry.placeholder && entry.asOf > news.floor) verdict = this.#host.known.judge(read.key, entry, lookup);
    } catch (error) {
      if (read.limit !== Infinity) this.#host.on?.({ type: "cache.unreadable", key: read.key, error });
      entry = undefined;
      // What the script took for an entry holds up whoever would load, until it is replaced.
      if (read.lease !== 0 && lease === 0 && read.limit !== Infinity && read.tries < TRIES) {
        read.limit = Infinity;
        return this.#repeat(read);
      }
    }
    if (verdict === "unknown") return this.#repeat(read);
    if (entry && read.limit > 0 && entry.asOf <= read.limit) verdict = "invalid";
    else if (entry && entry.asOf <= -read.limit && verdict === "valid") verdict = "stale";
    const state = entry ? stateOf(entry, now, verdict) : "none";
    // A pause after a failure is for those who are served something meanwhile.
    const held = entry && lease === 0 && entry.leaseUntil > now && entry.leaseUntil <= now + LONGEST_LEASE &&
      entry.epoch === epoch &&
      (entry.leaseToken > 0 || (entry.leaseToken < 0 && state !== "none"));
    // Only this process knows yet that the entry is no good, so the script did not grant the lease: ask once more.
    const limit = state !== "fresh" && read.lease !== 0 && lease === 0 && !held && entry && !entry.placeholder
      ? (verdict === "invalid" ? entry.asOf : -entry.asOf)
      : 0;
    if (limit !== 0 && limit !== read.limit && read.tries < TRIES) {
      read.limit = limit;
      return this.#repeat(read);
    }
    if (state !== "none") entry!.readTogether(found.json);
    read.resolve({
      epoch,
      clock,
      between: news.last + 0.5,
      now,
      state,
      entry: state === "none" ? undefined : entry,
      lease,
      held: held ? entry!.leaseToken : 0,
      heldFor: held ? entry!.leaseUntil - now : 0,
    });
  }

  /** It did not fit into the reply, which is no fault of the store: it has all of its time once more. */
  #askAgain(read: Pending): void {
    read.large = true;
    begunLater(read);
    this.#again.push(read);
    this.#join();
  }

  #repeat(read: Pending): void {
    if (++read.tries > TRIES) {
      return read.reject(new RedisError("ERR an entry could not be judged because of many invalidations"));
    }
    const left = read.deadline - performance.now();
    if (left <= 0) return read.reject(this.#host.batch.diagnosis.unavailable(this.operation, "timeout"));
    this.#host.batch.hold(read.promise, new Deadline(left), this.operation).catch((error) => {
      read.ended = true;
      read.reject(error);
    });
    this.#again.push(read);
    this.#join();
  }

  /** Gives back what was granted to somebody who has given up. */
  #missed({ key }: Pending, token: number): void {
    if (token === 0) return;
    this.#host.owed.owe(key, token);
    this.#host.owed.answered();
  }

  #orphan({ reads, leases, token }: Group): void {
    for (let i = 0; i < leases; i++) this.#host.owed.owe(reads[i]!.key, token);
  }

  #pending(key: string, lease: number, proof: number, within: Deadline | undefined): Pending {
    let resolve!: (read: Read) => void;
    let reject!: (error: unknown) => void;
    const promise = new Promise<Read>((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    const begun = within ? [within] : [];
    const state = { limit: 0, tries: 0, deadline: Infinity, begun, large: false, ended: false };
    return { key, lease, proof, ...state, promise, resolve, reject };
  }
}

/** Takes what goes with a part. */
function takeFrom(waiting: Map<string, Pending>, part: Part): Pending[] {
  const taken: Pending[] = [];
  for (const [key, read] of waiting) {
    if (!part.add(key.length)) break;
    taken.push(read);
    waiting.delete(key);
  }
  return taken;
}

function begunLater(read: Pending): void {
  read.deadline = Infinity;
  for (const within of read.begun) within.extend(Infinity);
}
