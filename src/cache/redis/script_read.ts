import { RedisError } from "../../errors.ts";
import type { Call } from "../../redis/batch.ts";
import type { RedisArgument, RedisReply } from "../../redis/client.ts";
import { Deadline } from "../../redis/deadline.ts";
import { unreadableReply } from "../../redis/unreadable_reply.ts";
import type { Moment } from "./judge_read.ts";
import { nonce, nonceFor } from "./nonce.ts";
import type { PendingRead } from "./pending_read.ts";
import type { PlainRead } from "./plain_read.ts";
import { encodeRequest, READ } from "./read_script.ts";
import type { ReaderHost } from "./reader_host.ts";
import { type LedgerDelta, type Note, readNews, readValues } from "./read_reply.ts";

/** What the script said of one key. */
export interface ScriptAnswer {
  readonly value: Uint8Array | undefined;
  readonly note: Note | undefined;
}

/** What is told of a read by script. */
export interface ScriptReadHost {
  readonly store: ReaderHost;
  /** It was answered. */
  answered(read: ScriptRead, moment: Moment, answers: readonly ScriptAnswer[]): void;
  /** The client connected anew meanwhile, perhaps to a server that has forgotten. */
  outdated(read: ScriptRead): void;
  /** It failed. */
  failed(read: ScriptRead, error: unknown): void;
  /** It is about to be written. */
  written(reads: readonly PendingRead[], now: number): void;
}

/** One call of the script: the news of the ledger, and reads that want a lease or have their tags looked up. */
export class ScriptRead {
  /** Those that want a lease come first. */
  readonly reads: readonly PendingRead[];
  /** How many of them want one. */
  readonly leases: number;
  /** The token of the leases that it grants. */
  readonly token: number;
  /** Which connection it is for. */
  readonly generation: number;
  /** Whether the server's run is checked. */
  readonly checked: boolean;
  /** Plain reads that wait for the news. */
  readonly waiting: PlainRead[] = [];
  /** Whether it was answered, or failed. */
  over = false;
  /** When it was written, by `performance.now()`. */
  sentAt = 0;
  readonly #host: ScriptReadHost;

  constructor(host: ScriptReadHost, leased: readonly PendingRead[], others: readonly PendingRead[], check: boolean) {
    this.reads = leased.length === 0 ? others : leased.concat(others);
    this.leases = leased.length;
    this.token = leased.length === 0 ? 0 : nonce();
    this.generation = host.store.batch.client.generation;
    this.checked = check;
    this.#host = host;
  }

  /** The call. */
  call(): Call {
    const { batch, known, ledger, prefix, longest } = this.#host.store;
    const leased = this.reads.slice(0, this.leases);
    const args: RedisArgument[] = [this.reads.length + 1];
    for (const { key } of this.reads) args.push(prefix + key);
    const request = encodeRequest({
      epoch: known.epoch,
      seen: known.seen,
      floor: known.floor,
      longest,
      leases: leased[0] && { token: this.token, ...pick(leased[0]), keys: leased },
    });
    args.push(ledger, nonceFor(batch.client), this.checked ? "1" : "0", request);
    const call = READ.call(batch, args, {
      operation: "read cache entries",
      resolve: (reply) => {
        try {
          this.#answered(reply);
        } catch (cause) {
          // Whatever it is, it is no fault of those who read.
          this.#failed(cause instanceof RedisError ? cause : unreadableReply(cause));
        }
      },
      reject: (error) => this.#failed(error),
    }, this.#deadline());
    const written = (now: number) => {
      this.sentAt = now;
      this.#host.written(this.reads, now);
    };
    return { ...call, written };
  }

  #answered(reply: RedisReply): void {
    const { store } = this.#host;
    if (!(reply instanceof Uint8Array)) throw new RedisError("ERR the reply to a read is no string");
    const { values, news: bytes } = readValues(reply);
    if (values.length !== this.reads.length) throw new RangeError("the reply to a read is not complete");
    if (this.checked) store.run.checked(this.generation);
    else if (store.batch.client.generation !== this.generation) {
      this.over = true;
      return this.#host.outdated(this);
    }
    const news = readNews(bytes, store.known, store.on);
    this.over = true;
    this.#host.answered(this, momentOf(news), values.map((value, i) => ({ value, note: news.notes?.get(i) })));
  }

  #failed(error: unknown): void {
    this.over = true;
    this.#host.failed(this, error);
  }

  /** What only waits for the news has been waiting before. */
  #deadline(): { within?: Deadline } {
    const deadlines = this.waiting.flatMap(({ reads }) => reads.map(({ deadline }) => deadline));
    if (this.reads.length > 0 || deadlines.length === 0) return {};
    const within = new Deadline(Math.max(1, Math.max(...deadlines) - performance.now()));
    within.begin();
    return { within };
  }
}

function pick({ lease, proof, steal }: PendingRead): Pick<PendingRead, "lease" | "proof" | "steal"> {
  return { lease, proof, steal };
}

function momentOf({ epoch, clock, last, now, floor }: LedgerDelta): Moment {
  return { epoch, clock, between: last + 0.5, now, floor };
}

/**
 * Those that go into one call: all want a lease of the same kind, and each key is there once, since a script grants one
 * lease per key.
 */
export function alike(reads: readonly PendingRead[]): PendingRead[][] {
  const groups: PendingRead[][] = [];
  let left = reads;
  while (left.length > 0) {
    const { lease, proof, steal } = left[0]!;
    const keys = new Set<string>();
    const group: PendingRead[] = [];
    const rest: PendingRead[] = [];
    for (const read of left) {
      const fits = read.lease === lease && read.proof === proof && read.steal === steal && !keys.has(read.key);
      if (fits) keys.add(read.key);
      (fits ? group : rest).push(read);
    }
    groups.push(group);
    left = rest;
  }
  return groups;
}
