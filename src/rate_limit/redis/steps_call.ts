import { RedisError } from "../../errors.ts";
import { ALGORITHMS, DEFINITIONS } from "../algorithms/registry.ts";
import { ACTIONS } from "./scripts.ts";
import type { Replication } from "../../redis/replication.ts";
import type { Rule, Standing, Step } from "../store.ts";

/** Steps that belong together, and who waits for them. */
export interface PendingSteps {
  /** What to do, all or nothing. */
  readonly steps: readonly Step[];
  /** When they came at the latest, by `performance.now()`: those of one write share it. */
  readonly since: number;
  /** Is told of what is counted, where replicas are to have it. */
  readonly replication: Replication | undefined;
  /** Whether it has resolved, rejected or was given up. */
  settled: boolean;
  resolve(standings: Standing[]): void;
  reject(error: unknown): void;
}

/** Most steps of one script call, and of one transaction. */
export const STEPS_PER_CALL = 1000;
/** Most different rules of one script call. */
const RULES_PER_CALL = 255;
/** Bytes of a step in the reply, and of what is added for a reservation. */
const REPLY = 28;
const RESERVED = 24;
/** Bytes of a step in the request, and of a refund, at most. */
const STEP = 8;
const REFUND = 45;
/** Bytes of single steps that differ in their keys only. */
const ALIKE = 11;

/** A rule in one script call, and its keys. */
interface RuleKeys {
  /** From 1 on. */
  readonly index: number;
  /** What its keys begin with. */
  readonly prefix: string;
  /** What the keys of its marks begin with. */
  readonly marks: string;
  /** The index of the key of each identity, from 1 on. */
  readonly indexes: Map<string, number>;
}

/** What goes into one call of the script: see there for how. */
export class StepsCall {
  readonly waiting: PendingSteps[] = [];
  readonly keys: string[] = [];
  readonly #prefix: string;
  /** The indexes of the keys of marks and tickets, from 1 on. */
  readonly #keys = new Map<string, number>();
  /** The rules, the first first. */
  readonly #rules = new Map<Rule, RuleKeys>();
  /** The indexes of the keys of each step: its own, its mark's, its ticket's. */
  readonly #indexes: number[] = [];
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Whether it fits. */
  add(waiting: PendingSteps): boolean {
    const { steps } = waiting;
    if (this.#count > 0) {
      if (this.#count + steps.length > STEPS_PER_CALL) return false;
      if (this.#rules.size + steps.length > RULES_PER_CALL) return false;
    }
    for (const { rule, id, action, ticket } of steps) {
      const { prefix, marks, indexes } = this.#rules.get(rule) ?? this.#addRule(rule);
      let index = indexes.get(id);
      if (index === undefined) indexes.set(id, index = this.keys.push(prefix + id));
      this.#indexes.push(
        index,
        action === "check" || action === "peek" ? 0 : this.#indexOf(`${marks}${id}:m`),
        ticket === undefined ? 0 : this.#indexOf(`${this.#prefix}t:${ticket}`),
      );
    }
    this.#count += steps.length;
    this.waiting.push(waiting);
    return true;
  }

  /** What the script takes. */
  encode(): Uint8Array {
    const bytes = new Uint8Array(3 + 15 * this.#rules.size + (ALIKE + STEP + REFUND) * this.#count);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, this.#rules.size);
    view.setUint16(1, this.waiting.length);
    let at = 3;
    for (const rule of this.#rules.keys()) {
      const algorithm = ALGORITHMS[rule.algorithm];
      const [limit, a, b] = algorithm.numbers(rule);
      view.setUint8(at, DEFINITIONS.indexOf(algorithm));
      view.setUint32(at + 1, limit);
      view.setUint16(at + 5, Math.floor(a / 2 ** 32));
      view.setUint32(at + 7, a % 2 ** 32);
      view.setUint32(at + 11, b);
      at += 15;
    }
    let next = 0;
    for (let i = 0; i < this.waiting.length;) {
      const alike = this.#alike(i, next);
      if (alike > 0) {
        at = this.#writeAlike(view, at, this.waiting[i]!.steps[0]!, next, alike);
        i += alike;
        next += 3 * alike;
        continue;
      }
      const { steps } = this.waiting[i++]!;
      view.setUint8(at++, steps.length);
      for (const step of steps) {
        at = this.#writeStep(view, at, step, next);
        next += 3;
      }
    }
    return bytes.subarray(0, at);
  }

  /**
   * Gives what was decided to those who wait.
   *
   * @param counted Told who waits for replicas of what was counted, before he is given that.
   * @throws {RedisError} If the reply makes no sense.
   */
  settle(reply: unknown, counted?: (replication: Replication) => void): void {
    if (!(reply instanceof Uint8Array)) throw new RedisError("ERR the reply to a rate limit is no string");
    let length = 0;
    for (const { steps } of this.waiting) for (const step of steps) length += lengthOf(step);
    if (reply.length !== length) throw new RedisError("ERR the reply to a rate limit is not complete");
    const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
    let at = 0;
    for (const waiting of this.waiting) {
      const standings: Standing[] = [];
      for (const step of waiting.steps) {
        standings.push(readStanding(view, at, step));
        at += lengthOf(step);
      }
      if (waiting.settled) continue;
      waiting.settled = true;
      // What was refused has written nothing.
      const { replication, steps } = waiting;
      const wrote = replication && standings.every(({ allowed }, i) => allowed || steps[i]!.action === "penalize");
      if (wrote) counted?.(replication);
      waiting.resolve(standings);
    }
  }

  /** How many from here on are single checks or looks that differ in their keys only, which follow each other. */
  #alike(from: number, next: number): number {
    const { waiting } = this;
    const [first] = waiting[from]!.steps;
    const { rule, action, cost } = first!;
    if (waiting[from]!.steps.length > 1 || (action !== "check" && action !== "peek")) return 0;
    const index = this.#indexes[next]!;
    let count = 1;
    for (; from + count < waiting.length; count++) {
      const { steps } = waiting[from + count]!;
      const step = steps[0]!;
      if (steps.length > 1 || step.rule !== rule || step.action !== action || step.cost !== cost) break;
      if (this.#indexes[next + 3 * count] !== index + count) break;
    }
    return count;
  }

  #writeAlike(view: DataView, at: number, { rule, action, cost }: Step, next: number, count: number): number {
    view.setUint8(at, 0);
    view.setUint16(at + 1, count);
    view.setUint16(at + 3, this.#indexes[next]!);
    view.setUint8(at + 5, this.#rules.get(rule)!.index);
    view.setUint8(at + 6, ACTIONS[action]);
    view.setUint32(at + 7, cost);
    return at + ALIKE;
  }

  #writeStep(view: DataView, at: number, step: Step, next: number): number {
    const { rule, action, cost, reserved, moved = false, receipt = 0 } = step;
    view.setUint16(at, this.#indexes[next]!);
    view.setUint8(at + 2, this.#rules.get(rule)!.index);
    view.setUint8(at + 3, ACTIONS[action]);
    view.setUint32(at + 4, cost);
    at += STEP;
    if (action === "check" || action === "peek") return at;
    view.setUint16(at, this.#indexes[next + 1]!);
    at += 2;
    if (action !== "refund") return at;
    view.setUint16(at, this.#indexes[next + 2]!);
    view.setUint8(at + 2, moved ? 1 : 0);
    view.setFloat64(at + 3, reserved?.receipt ?? receipt);
    view.setFloat64(at + 11, reserved?.at ?? 0);
    view.setFloat64(at + 19, reserved?.mark ?? -1);
    view.setFloat64(at + 27, reserved?.given ?? 0);
    return at + 35;
  }

  #indexOf(key: string): number {
    let index = this.#keys.get(key);
    if (index === undefined) this.#keys.set(key, index = this.keys.push(key));
    return index;
  }

  #addRule(rule: Rule): RuleKeys {
    // A limit that was defined anew meanwhile counts in the same keys.
    const { state } = ALGORITHMS[rule.algorithm];
    const prefix = `${this.#prefix}${state}:${rule.name}:`;
    const twin = [...this.#rules.values()].find((other) => other.prefix === prefix);
    const keys = {
      index: this.#rules.size + 1,
      prefix,
      marks: `${this.#prefix}m${state}:${rule.name}:`,
      indexes: twin?.indexes ?? new Map<string, number>(),
    };
    this.#rules.set(rule, keys);
    return keys;
  }
}

function lengthOf({ action }: Step): number {
  return action === "reserve" ? REPLY + RESERVED : REPLY;
}

function readStanding(view: DataView, at: number, { action }: Step): Standing {
  const standing = {
    allowed: view.getUint8(at) === 1,
    remaining: view.getUint32(at + 1),
    resetAfter: uint40(view, at + 5),
    retryAfter: uint40(view, at + 10),
    moreAfter: uint40(view, at + 15),
    receipt: view.getFloat64(at + 20),
  };
  if (action !== "reserve") return standing;
  const [moment, mark, given] = [view.getFloat64(at + 28), view.getFloat64(at + 36), view.getFloat64(at + 44)];
  return { ...standing, reserved: { receipt: standing.receipt, at: moment, mark, given } };
}

function uint40(view: DataView, at: number): number {
  return view.getUint8(at) * 2 ** 32 + view.getUint32(at + 1);
}
