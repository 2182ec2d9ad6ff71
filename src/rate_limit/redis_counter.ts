import { endBy } from "../abort.ts";
import { RedisError, type UnavailableError } from "../errors.ts";
import type { Batch, Call, CallSource } from "../redis/batch.ts";
import { Breaker } from "../redis/breaker.ts";
import type { RedisReply } from "../redis/client.ts";
import { Deadline } from "../redis/deadline.ts";
import { bytesOf, widthOf } from "./sliding_window.ts";
import { intervalOf } from "./gcra.ts";
import { ACTIONS, ALGORITHMS, STEPS } from "./scripts.ts";
import { type Rule, type Standing, STATES, type Step } from "./store.ts";

/** Steps that belong together, and who waits for them. */
interface Pending {
  readonly steps: readonly Step[];
  /** When they came, by `performance.now()`. */
  readonly since: number;
  settled: boolean;
  resolve(standings: Standing[]): void;
  reject(error: unknown): void;
}

/** How a counter works. */
interface RedisCounterOptions {
  readonly prefix: string;
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
/** Milliseconds that each step of a write may take beside: a thousand of them keep the server and this process busy for a while. */
const STEP = 0.1;
/** How many deadlines of commands somebody may wait for his turn. */
const TURNS = 4;
/** Most steps of one script call, and of one transaction. */
const STEPS_PER_CALL = 1000;
/** Most different rules of one script call. */
const RULES_PER_CALL = 255;
/** Bytes of a step in the reply. */
const REPLY = 28;
/** Days of a window from which on the times of `exact` take five bytes. */
const LONG = 24 * 86_400_000;

/** The limits in one Redis hash slot. Turns all steps of one write into one script call. */
export class RedisCounter implements CallSource {
  readonly operation: string = "count rate limit";
  readonly #batch: Batch;
  readonly #prefix: string;
  readonly #timeout: number | undefined;
  readonly #now: (() => number) | undefined;
  // Slowness counts as failure here long before it does for other commands.
  readonly #breaker = new Breaker();
  #waiting: Pending[] = [];
  #joined = false;
  /** Script calls that are out. */
  readonly #out = new Set<readonly Pending[]>();
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(4096);
  #view: DataView = new DataView(this.#bytes.buffer);

  constructor(batch: Batch, { prefix, timeout, now }: RedisCounterOptions) {
    this.#batch = batch;
    this.#prefix = prefix;
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

  run(steps: readonly Step[], signal?: AbortSignal): Promise<Standing[]> {
    if (this.#waiting.length === 0 && !this.#allows()) {
      return Promise.reject(this.#batch.diagnosis.unavailable(this.operation, "circuit-open"));
    }
    if (this.#waiting.length >= this.#batch.maxQueued) {
      return Promise.reject(this.#batch.diagnosis.unavailable(this.operation, "overload"));
    }
    return new Promise((resolve, reject) => {
      const since = performance.now();
      const pending: Pending = { steps, since, settled: false, resolve, reject };
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
      const part = new Part(this.#prefix);
      let end = start;
      while (end < waiting.length && part.add(waiting[end]!)) end++;
      start = end;
      calls.push(this.#call(part, timeout, failed));
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
    if (error.reason !== "closed" && error.reason !== "overload") this.#breaker.fail();
    for (const pending of waiting) reject(pending, error);
  }

  /** Fails all that waits. */
  close(): void {
    const error = this.#batch.diagnosis.unavailable(this.operation, "closed");
    const waiting = [this.#waiting, ...this.#out];
    this.#waiting = [];
    this.#out.clear();
    for (const part of waiting) for (const pending of part) reject(pending, error);
  }

  /** Whether an attempt makes sense: after failures, only one at a time. */
  #allows(): boolean {
    if (this.#breaker.state === "closed") return true;
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

  #call(part: Part, timeout: number, failed: () => void): Call {
    const { waiting, keys } = part;
    const now = this.#now;
    this.#out.add(waiting);
    const handlers = {
      operation: this.operation,
      resolve: (reply: RedisReply) => {
        if (this.#out.delete(waiting)) this.#breaker.succeed();
        try {
          settle(waiting, reply);
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
    const args = [keys.length, ...keys, this.#encode(part), now ? String(now()) : ""];
    return STEPS.call(this.#batch, args, handlers, { within, whole: STEPS.isNew(this.#batch) });
  }

  #encode({ waiting, rules, indexes, count }: Part): Uint8Array {
    this.#reserve(3 + 15 * rules.size + 17 * count);
    const view = this.#view;
    view.setUint8(0, rules.size);
    view.setUint16(1, waiting.length);
    let at = 3;
    for (const rule of rules.keys()) {
      const [a, b] = numbersOf(rule);
      view.setUint8(at, ALGORITHMS[rule.algorithm]);
      view.setUint32(at + 1, rule.limit);
      view.setUint16(at + 5, Math.floor(a / 2 ** 32));
      view.setUint32(at + 7, a % 2 ** 32);
      view.setUint32(at + 11, b);
      at += 15;
    }
    let next = 0;
    for (const { steps } of waiting) {
      view.setUint8(at++, steps.length);
      for (const { rule, action, cost, receipt } of steps) {
        view.setUint16(at, indexes[next++]!);
        view.setUint8(at + 2, rules.get(rule)!.index);
        view.setUint8(at + 3, ACTIONS[action]);
        view.setUint32(at + 4, cost);
        at += 8;
        if (action === "refund") {
          view.setFloat64(at, receipt ?? 0);
          at += 8;
        }
      }
    }
    return this.#bytes.slice(0, at);
  }

  #reserve(bytes: number): void {
    if (this.#bytes.length >= bytes) return;
    this.#bytes = new Uint8Array(bytes * 2);
    this.#view = new DataView(this.#bytes.buffer);
  }
}

/** A rule in one script call. */
interface RulePart {
  /** From 1 on. */
  readonly index: number;
  /** What its keys begin with. */
  readonly prefix: string;
  /** The index of the key of each identity, from 1 on. */
  readonly indexes: Map<string, number>;
}

/** What goes into one script call. */
class Part {
  readonly waiting: Pending[] = [];
  readonly keys: string[] = [];
  /** The rules, the first first. */
  readonly rules = new Map<Rule, RulePart>();
  /** The index of the key of each step, from 1 on. */
  readonly indexes: number[] = [];
  count = 0;
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Whether it fits. */
  add(pending: Pending): boolean {
    const { steps } = pending;
    if (this.count > 0) {
      if (this.count + steps.length > STEPS_PER_CALL) return false;
      if (this.rules.size + steps.length > RULES_PER_CALL) return false;
    }
    for (const { rule, id } of steps) {
      const part = this.rules.get(rule) ?? this.#addRule(rule);
      let index = part.indexes.get(id);
      if (index === undefined) {
        index = this.keys.push(part.prefix + id);
        part.indexes.set(id, index);
      }
      this.indexes.push(index);
    }
    this.count += steps.length;
    this.waiting.push(pending);
    return true;
  }

  #addRule(rule: Rule): RulePart {
    const prefix = `${this.#prefix}${STATES[rule.algorithm]}:${rule.name}:`;
    // A limit that was defined anew meanwhile counts in the same keys, and each key is named once.
    const twin = [...this.rules.values()].find((part) => part.prefix === prefix);
    const part = { index: this.rules.size + 1, prefix, indexes: twin?.indexes ?? new Map<string, number>() };
    this.rules.set(rule, part);
    return part;
  }
}

/** The two numbers of a rule that depend on its algorithm. */
function numbersOf(rule: Rule): [number, number] {
  switch (rule.algorithm) {
    case "exact":
      return [rule.window, rule.window <= LONG ? 4 : 5];
    case "sliding-window":
      return [widthOf(rule), bytesOf(rule)];
    case "fixed-window":
      return [rule.window, 0];
    default:
      return [intervalOf(rule), rule.burst];
  }
}

function settle(waiting: readonly Pending[], reply: unknown): void {
  if (!(reply instanceof Uint8Array)) throw new RedisError("ERR the reply to a rate limit is no string");
  const steps = waiting.reduce((sum, pending) => sum + pending.steps.length, 0);
  if (reply.length !== steps * REPLY) throw new RedisError("ERR the reply to a rate limit is not complete");
  const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
  let at = 0;
  for (const pending of waiting) {
    const standings: Standing[] = [];
    for (let i = 0; i < pending.steps.length; i++, at += REPLY) {
      standings.push({
        allowed: view.getUint8(at) === 1,
        remaining: view.getUint32(at + 1),
        resetAfter: uint40(view, at + 5),
        retryAfter: uint40(view, at + 10),
        moreAfter: uint40(view, at + 15),
        receipt: view.getFloat64(at + 20),
      });
    }
    if (pending.settled) continue;
    pending.settled = true;
    pending.resolve(standings);
  }
}

function uint40(view: DataView, at: number): number {
  return view.getUint8(at) * 2 ** 32 + view.getUint32(at + 1);
}

function reject(pending: Pending, error: unknown): void {
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
