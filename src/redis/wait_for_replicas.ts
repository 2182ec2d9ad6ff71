import { clearTimeout, setTimeout } from "../util/real_timers.ts";
import { unref } from "../util/timers.ts";
import { RedisError } from "../errors.ts";
import type { Call, CallSource } from "./call.ts";
import type { RedisClient, RedisCommand } from "./client.ts";
import { Deadline } from "./deadline.ts";

/** On how many replicas a write has to be, and how long to wait for that. */
export interface ReplicaWait {
  /** How many replicas. */
  readonly replicas: number;
  /** Milliseconds, at least 1. */
  readonly timeout: number;
}

/** Somebody who waits. */
interface Waiter extends ReplicaWait {
  readonly mark: string;
  /** When it is given up, by `performance.now()`; nothing before its first round. */
  until?: number;
  /** Whether it was told. */
  ended: boolean;
  readonly end: (count: number) => void;
}

/** What sends over the other connection. */
interface Sender {
  join(source: CallSource): void;
  close(): Promise<void>;
}

/** Who is told what a server refuses, and what works again. */
interface Told {
  refused(operation: string, error: RedisError): void;
  worked(operation: string): void;
}

/** Milliseconds that the server has to say that replicas were not in time. */
const SPARE = 1000;
/** The longest that one `WAIT` takes, in milliseconds: so long may the next one have to wait. */
const SLICE = 100;
/** The longest that anybody waits, in milliseconds. */
export const LONGEST_WAIT = 120_000;
const OPERATION = "wait for replicas";

/** For how many milliseconds a mark is kept where nobody takes it away: as long as somebody may wait for it. */
export function keptFor({ timeout }: ReplicaWait): number {
  return timeout + SLICE + SPARE + 1000;
}

/**
 * Waits until replicas have what was written (`WAIT`), on a connection of its own, on which the server answers nothing
 * else meanwhile. It is opened for the first who waits. All who come in one tick, or while others wait, share one
 * round; on a cluster each node has rounds of its own. A round is over when those who want the fewest have them, or
 * after 100 ms: who wants more, or has more time, waits on in the next one.
 *
 * `WAIT` is about the writes of its own connection, and says nothing of which server that leads to. So who writes
 * leaves a mark in the same step. Each round takes the marks away, which is a write that replicas have only after all
 * that was written earlier, over whatever connection, and which finds a mark only where what was written with it is: a
 * server that took over without it has none. The mark of who may wait on is kept a little longer instead, which is such
 * a write as well.
 */
export class ReplicaWaiter implements AsyncDisposable {
  readonly #client: RedisClient;
  readonly #open: (apart: RedisClient) => Sender;
  readonly #told: Told | undefined;
  readonly #instance = crypto.randomUUID().slice(0, 18);
  #marks = 0;
  #sender: Promise<Sender> | undefined;
  /** The rounds, by the address of their node. */
  readonly #rounds = new Map<string, Round>();
  readonly #stop = new AbortController();
  #closed = false;

  /**
   * Creates one. Nothing is opened.
   *
   * @param client The client that writes; it has to know how to open another connection.
   * @param open Makes what sends over that.
   * @param told Is told where the server refuses it.
   */
  constructor(client: RedisClient, open: (apart: RedisClient) => Sender, told?: Told) {
    this.#client = client;
    this.#open = open;
    this.#told = told;
  }

  /** A key that nobody else uses, in the slot of a hash tag. */
  mark(tag: string): string {
    return `{${tag}}:w:${this.#instance}:${(this.#marks++).toString(36)}`;
  }

  /**
   * Waits until so many replicas have what was written together with a mark. Each mark is for one wait.
   *
   * @param mark The mark.
   * @param wait How many, and for how long.
   * @param signal Ends the wait, as if nobody knew.
   * @returns How many have it; 0 where nobody knows.
   */
  async wait(mark: string, { replicas, timeout }: ReplicaWait, signal?: AbortSignal): Promise<number> {
    if (this.#closed) return 0;
    const { promise, resolve } = Promise.withResolvers<number>();
    // A round may have begun just before.
    const late = setTimeout(() => waiter.end(0), timeout + SLICE + SPARE);
    unref(late);
    const waiter: Waiter = {
      mark,
      replicas,
      timeout,
      ended: false,
      end: (count) => {
        waiter.ended = true;
        clearTimeout(late);
        signal?.removeEventListener("abort", aborted);
        resolve(count);
      },
    };
    const aborted = () => waiter.end(0);
    signal?.addEventListener("abort", aborted);
    this.#connection().then((sender) => this.#join(sender, waiter), () => waiter.end(0));
    return await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#stop.abort();
    const sender = await this.#sender?.catch(() => undefined);
    await sender?.close();
  }

  #join(sender: Sender, waiter: Waiter): void {
    const node = this.#client.nodes?.of([{ name: "DEL", args: [waiter.mark] }]);
    const name = node?.address ?? "";
    let round = this.#rounds.get(name);
    if (!round) this.#rounds.set(name, round = new Round(sender, () => this.#rounds.delete(name), this.#told));
    round.add(waiter);
  }

  #connection(): Promise<Sender> {
    return this.#sender ??= this.#connect().catch((error) => {
      this.#sender = undefined;
      throw error;
    });
  }

  async #connect(): Promise<Sender> {
    const sender = this.#open(await this.#client.apart!(this.#stop.signal));
    if (this.#closed) await sender.close();
    return sender;
  }
}

/** One `WAIT` after the other. */
class Round implements CallSource {
  readonly operation: string = OPERATION;
  readonly #sender: Sender;
  readonly #ended: () => void;
  readonly #told: Told | undefined;
  #waiting: Waiter[] = [];
  /** The marks of those who no longer wait. */
  #marks: string[] = [];
  #runs = false;

  /** `ended` is called when nobody waits any more. */
  constructor(sender: Sender, ended: () => void, told: Told | undefined) {
    this.#sender = sender;
    this.#ended = ended;
    this.#told = told;
  }

  add(waiter: Waiter): void {
    this.#waiting.push(waiter);
    if (this.#runs) return;
    this.#runs = true;
    this.#sender.join(this);
  }

  take(): Call[] {
    const waiters = this.#waiting.filter(({ ended }) => !ended);
    const ended = this.#waiting.filter(({ ended }) => ended);
    const calls = [...this.#marks, ...ended.map(({ mark }) => mark)].map(forget);
    this.#waiting = [];
    this.#marks = [];
    if (waiters.length === 0) {
      this.#next();
      return calls;
    }
    const begun = performance.now();
    const left = waiters.map((waiter) => (waiter.until ??= begun + waiter.timeout) - begun);
    const replicas = Math.min(...waiters.map(({ replicas }) => replicas));
    const timeout = Math.max(1, Math.ceil(Math.min(SLICE, ...left)));
    /** Whether it does not wait on, whatever comes of this one. */
    const last = waiters.map((waiter, i) => waiter.replicas === replicas && left[i]! <= timeout);
    calls.push({
      name: "WAIT",
      args: [replicas, timeout],
      before: waiters.map((waiter, i): RedisCommand =>
        last[i]
          ? { name: "DEL", args: [waiter.mark] }
          : { name: "PEXPIRE", args: [waiter.mark, Math.ceil(keptFor(waiter))] }
      ),
      operation: OPERATION,
      within: new Deadline(timeout + SPARE),
      resolve: (reply, found = []) => {
        const count = typeof reply === "number" ? reply : 0;
        const now = performance.now();
        this.#told?.worked(OPERATION);
        waiters.forEach((waiter, i) => {
          const there = found[i] === 1;
          if (there && count < waiter.replicas && !last[i] && now < waiter.until! && !waiter.ended) {
            this.#waiting.push(waiter);
            return;
          }
          if (there && !last[i]) this.#marks.push(waiter.mark);
          waiter.end(there ? count : 0);
        });
        this.#next();
      },
      reject: (error) => {
        if (error instanceof RedisError) this.#told?.refused(OPERATION, error);
        for (const waiter of waiters) waiter.end(0);
        this.#next();
      },
    });
    return calls;
  }

  fail(): void {
    const waiters = this.#waiting;
    this.#waiting = [];
    this.#marks = [];
    for (const waiter of waiters) waiter.end(0);
    this.#next();
  }

  #next(): void {
    this.#runs = this.#waiting.length > 0 || this.#marks.length > 0;
    if (this.#runs) this.#sender.join(this);
    else this.#ended();
  }
}

/** Takes away a mark for which nobody waits; if that fails, it goes by itself. */
function forget(mark: string): Call {
  return { name: "DEL", args: [mark], operation: OPERATION, resolve: () => {}, reject: () => {} };
}
