import { endBy } from "../abort.ts";
import { RedisError, UnavailableError } from "../errors.ts";
import { Alarm } from "../redis/alarm.ts";
import type { Batch, Call, CallSource } from "../redis/batch.ts";
import { Breaker } from "../redis/breaker.ts";
import { type Due, respite } from "../redis/lateness.ts";
import { bytesOf, widthOf } from "./sliding_window.ts";
import { intervalOf } from "./gcra.ts";
import { ACTIONS, ALGORITHMS, STEPS } from "./scripts.ts";
import { type Rule, type Standing, STATES, type Step } from "./store.ts";

/** Steps that belong together, and who waits for them. */
interface Pending {
  readonly steps: readonly Step[];
  settled: boolean;
  resolve(standings: Standing[]): void;
  reject(error: unknown): void;
}

/** What was collected in one tick. Its deadline is that of the first. */
interface Group extends Due {
  readonly pending: Pending[];
  ended: boolean;
}

/** How a counter works. */
interface RedisCounterOptions {
  readonly prefix: string;
  readonly timeout: number;
  readonly now: (() => number) | undefined;
}

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
  readonly #timeout: number;
  readonly #now: (() => number) | undefined;
  // Slowness counts as failure here long before it does for other commands.
  readonly #breaker = new Breaker();
  readonly #groups = new Set<Group>();
  readonly #alarm = new Alarm({ ring: () => this.#expire(), isNeeded: () => this.#groups.size > 0 });
  #collecting: Group | undefined;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(4096);
  #view: DataView = new DataView(this.#bytes.buffer);

  constructor(batch: Batch, { prefix, timeout, now }: RedisCounterOptions) {
    this.#batch = batch;
    this.#prefix = prefix;
    this.#timeout = timeout;
    this.#now = now;
  }

  run(steps: readonly Step[], signal?: AbortSignal): Promise<Standing[]> {
    const group = this.#collecting;
    if (!group && !this.#allows()) {
      return Promise.reject(this.#batch.diagnosis.unavailable(this.operation, "circuit-open"));
    }
    if (group && group.pending.length >= this.#batch.maxQueued) {
      return Promise.reject(this.#batch.diagnosis.unavailable(this.operation, "overload"));
    }
    return new Promise((resolve, reject) => {
      const pending: Pending = { steps, settled: false, resolve, reject };
      if (signal) endBy(pending, signal);
      if (group) group.pending.push(pending);
      else this.#collect(pending);
    });
  }

  take(): Call[] {
    const group = this.#collecting;
    if (!group) return [];
    this.#collecting = undefined;
    const waiting = group.pending.filter(({ settled }) => !settled);
    const calls: Call[] = [];
    let open = 0;
    for (let start = 0; start < waiting.length;) {
      const part = new Part(this.#prefix);
      let end = start;
      while (end < waiting.length && part.add(waiting[end]!)) end++;
      start = end;
      open++;
      calls.push(this.#call(part, group, () => --open === 0));
    }
    if (calls.length === 0) this.#end(group);
    return calls;
  }

  fail(error: UnavailableError): void {
    const group = this.#collecting;
    if (group) this.#fail(group, error);
  }

  /** Fails all that waits. */
  close(): void {
    for (const group of this.#groups) this.#fail(group, new UnavailableError(this.operation, "closed"), true);
    this.#alarm.stop();
  }

  /** Whether an attempt makes sense: after failures, only one at a time. */
  #allows(): boolean {
    if (this.#breaker.state === "closed") return true;
    return this.#breaker.allows() && this.#groups.size === 0;
  }

  #collect(pending: Pending): void {
    const deadline = performance.now() + this.#timeout;
    const group: Group = { pending: [pending], deadline, respited: false, ended: false };
    this.#alarm.set(deadline);
    this.#collecting = group;
    this.#groups.add(group);
    this.#batch.join(this);
  }

  #call(part: Part, group: Group, isLast: () => boolean): Call {
    const { waiting, keys } = part;
    const now = this.#now;
    return STEPS.call(this.#batch, [keys.length, ...keys, this.#encode(part), now ? String(now()) : ""], {
      operation: this.operation,
      resolve: (reply) => {
        if (!group.ended) this.#breaker.succeed();
        try {
          settle(waiting, reply);
        } catch (error) {
          for (const pending of waiting) reject(pending, error);
        }
        if (isLast()) this.#end(group);
      },
      reject: (error) => {
        // A server that refuses answers all the same.
        if (error instanceof RedisError || group.ended) {
          for (const pending of waiting) reject(pending, error);
          if (isLast()) this.#end(group);
        } else this.#fail(group, error);
      },
    });
  }

  #fail(group: Group, error: unknown, closing = false): void {
    if (group.ended) return;
    this.#end(group);
    if (!closing) this.#breaker.fail();
    for (const pending of group.pending) reject(pending, error);
  }

  #end(group: Group): void {
    group.ended = true;
    this.#groups.delete(group);
    if (this.#groups.size === 0) this.#alarm.rest();
    if (this.#collecting === group) this.#collecting = undefined;
  }

  #expire(): void {
    const now = performance.now() + 0.5; // timers may fire a little early
    const groups = [...this.#groups];
    respite(groups, now, this.#timeout);
    for (const group of groups) {
      if (group.deadline <= now) this.#fail(group, this.#batch.diagnosis.unavailable(this.operation, "timeout"));
      else this.#alarm.set(group.deadline);
    }
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
