import { endBy } from "../../util/abort.ts";
import { RedisError, type UnavailableError } from "../../errors.ts";
import type { Batch, Call, CallSource } from "../../redis/batch.ts";
import { Breaker } from "../../redis/breaker.ts";
import type { RedisReply } from "../../redis/client.ts";
import { Deadline } from "../../redis/deadline.ts";
import type { Replication } from "../../redis/replication.ts";
import type { Script } from "../../redis/script.ts";
import { keptFor } from "../../redis/wait_for_replicas.ts";
import { STEPS } from "./scripts.ts";
import { type PendingSteps, STEPS_PER_CALL, StepsCall } from "./steps_call.ts";
import type { Standing, Step } from "../store.ts";

/** How a counter works. */
interface RedisCounterOptions {
  readonly tag: string;
  /** Milliseconds after which steps are given up; by how far away the server is, when not given. */
  readonly timeout: number | undefined;
  readonly now: (() => number) | undefined;
}

/** Milliseconds after which steps are given up, unless the server is far away. */
export const LEAST_TIMEOUT = 100;
/** How many round trips they are waited for then. */
const ROUND_TRIPS = 3;
/** Most script calls of one write: those behind have their deadline from when their turn comes. */
const CALLS_PER_WRITE = 1;
/**
 * Milliseconds that each step of a write may take beside: a thousand of them keep the server and this process busy for
 * a while.
 */
const STEP = 0.1;
/** How many deadlines of commands somebody may wait for his turn. */
const TURNS = 4;
/**
 * Reasons for which nothing was tried, so that nothing is known of the server: it may be back, and others are just
 * finding that out.
 */
const SAYS_NOTHING: ReadonlySet<UnavailableError["reason"]> = new Set(["closed", "overload", "circuit-open"]);

/** The limits in one Redis hash slot. Turns all steps of one write into one script call. */
export class RedisCounter implements CallSource {
  readonly operation: string = "count rate limit";
  readonly #batch: Batch;
  readonly #tag: string;
  readonly #timeout: number | undefined;
  readonly #now: (() => number) | undefined;
  // Slowness counts as failure here long before it does for other commands.
  readonly #breaker = new Breaker();
  /** How many connections there had been when it was looked last. */
  #generation = 0;
  #waiting: PendingSteps[] = [];
  #joined = false;
  #since = 0;
  /** Script calls that are out. */
  readonly #out = new Set<readonly PendingSteps[]>();

  constructor(batch: Batch, { tag, timeout, now }: RedisCounterOptions) {
    this.#batch = batch;
    this.#tag = tag;
    this.#timeout = timeout;
    this.#now = now;
  }

  /** Milliseconds after which steps are given up now, from their write on. */
  get timeout(): number {
    const { commandTimeout, roundTrip, client } = this.#batch;
    // How far away the server is, the first reply says.
    const least = roundTrip !== undefined ? ROUND_TRIPS * roundTrip : client.connected ? commandTimeout : 0;
    const own = this.#timeout ?? Math.max(LEAST_TIMEOUT, least);
    return Math.min(own + STEP * Math.min(STEPS_PER_CALL, this.#waiting.length), commandTimeout);
  }

  run(steps: readonly Step[], signal?: AbortSignal, replication?: Replication): Promise<Standing[]> {
    if (this.#waiting.length === 0 && !this.#allows()) {
      return Promise.reject(this.#batch.diagnosis.unavailable(this.operation, "circuit-open"));
    }
    if (this.#waiting.length >= this.#batch.maxQueued) {
      return Promise.reject(this.#batch.diagnosis.unavailable(this.operation, "overload"));
    }
    return new Promise((resolve, reject) => {
      // To look at the clock for each takes its time.
      if (!this.#joined) this.#since = performance.now();
      const pending: PendingSteps = { steps, since: this.#since, replication, settled: false, resolve, reject };
      if (signal) endBy(pending, signal);
      this.#waiting.push(pending);
      this.#join();
    });
  }

  take(): Call[] {
    this.#joined = false;
    const waiting = this.#waiting.filter(({ settled }) => !settled);
    const { timeout } = this;
    const calls: Call[] = [];
    // All calls of one write fail together.
    const failed = once(() => this.#breaker.fail());
    let start = 0;
    while (start < waiting.length && calls.length < CALLS_PER_WRITE) {
      const steps = new StepsCall(`{${this.#tag}}:r`);
      let end = start;
      while (end < waiting.length && steps.add(waiting[end]!)) end++;
      start = end;
      calls.push(this.#call(steps, timeout, failed));
    }
    this.#waiting = waiting.slice(start);
    this.#leave(performance.now() - TURNS * this.#batch.commandTimeout);
    if (this.#waiting.length > 0) this.#join();
    return calls;
  }

  fail(error: UnavailableError): void {
    this.#joined = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!SAYS_NOTHING.has(error.reason)) this.#breaker.fail();
    for (const pending of waiting) reject(pending, error);
  }

  /** Fails all that waits. */
  close(): void {
    const error = this.#batch.diagnosis.unavailable(this.operation, "closed");
    const waiting = [this.#waiting, ...this.#out];
    this.#waiting = [];
    this.#out.clear();
    for (const call of waiting) for (const pending of call) reject(pending, error);
  }

  /** Whether an attempt makes sense: after failures, only one at a time. */
  #allows(): boolean {
    if (this.#breaker.state === "closed") return true;
    // Another connection, or another server that has the slot: what was of the one before says nothing of it.
    const { generation } = this.#batch.client;
    if (generation !== this.#generation) this.#breaker.probe();
    this.#generation = generation;
    return this.#breaker.allows() && this.#out.size === 0;
  }

  #join(): void {
    if (this.#joined) return;
    this.#joined = true;
    this.#batch.join(this);
  }

  /** More come than the server can count: those who have waited since then are not helped by waiting on. */
  #leave(since: number): void {
    if (this.#waiting.length === 0 || this.#waiting[0]!.since > since) return;
    const error = this.#batch.diagnosis.unavailable(this.operation, "overload");
    const late = this.#waiting.findIndex((pending) => pending.since > since);
    for (const pending of this.#waiting.splice(0, late < 0 ? this.#waiting.length : late)) reject(pending, error);
  }

  /** What is more where somebody waits for replicas: all who do share one mark. */
  #marked(waiting: readonly PendingSteps[]): {
    readonly script: Script;
    readonly marks: readonly string[];
    readonly kept: readonly number[];
    /** Somebody is to wait for replicas of what he counted. */
    readonly counted?: (replication: Replication) => void;
    /** All have been told: a mark that nobody waits for is taken away. */
    readonly settled?: () => void;
  } {
    const waits = waiting.flatMap(({ replication }) => replication?.wait ?? []);
    if (waits.length === 0) return { script: STEPS, marks: [], kept: [] };
    const { replicas } = this.#batch;
    const mark = replicas.mark(this.#tag);
    const wait = {
      replicas: Math.max(...waits.map(({ replicas }) => replicas)),
      timeout: Math.max(...waits.map(({ timeout }) => timeout)),
    };
    let count: Promise<number> | undefined;
    const counted = (replication: Replication) => replication.add(count ??= replicas.wait(mark, wait));
    const settled = () => {
      if (!count) this.#batch.send("DEL", [mark], { operation: this.operation }).catch(() => {});
    };
    return { script: STEPS.marked, marks: [mark], kept: [keptFor(wait)], counted, settled };
  }

  #call(steps: StepsCall, timeout: number, failed: () => void): Call {
    const { waiting, keys } = steps;
    const now = this.#now;
    const marked = this.#marked(waiting);
    this.#out.add(waiting);
    const handlers = {
      operation: this.operation,
      resolve: (reply: RedisReply) => {
        if (this.#out.delete(waiting)) this.#breaker.succeed();
        try {
          steps.settle(reply, marked.counted);
          marked.settled?.();
        } catch (error) {
          for (const pending of waiting) reject(pending, error);
        }
      },
      reject: (error: unknown) => {
        // A server that refuses answers all the same.
        if (this.#out.delete(waiting) && !(error instanceof RedisError)) failed();
        for (const pending of waiting) reject(pending, error);
      },
    };
    const within = new Deadline(timeout);
    const args = [steps.encode(), now ? String(now()) : "", nonce()];
    const { script, marks, kept } = marked;
    const all = [keys.length + marks.length, ...keys, ...marks, ...args, ...kept];
    return script.call(this.#batch, all, handlers, { within, whole: script.isNew(this.#batch) });
  }
}

function reject(pending: PendingSteps, error: unknown): void {
  if (pending.settled) return;
  pending.settled = true;
  pending.reject(error);
}

/** Does it the first time only. */
function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}

/** A number from 1 to 2^48 that nobody else draws. */
function nonce(): number {
  return 1 + Math.floor(Math.random() * (2 ** 48 - 1));
}
