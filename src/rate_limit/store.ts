import type { ClosedBy } from "../errors.ts";
import type { Replication } from "../redis/replication.ts";

/**
 * How a limit is counted.
 *
 * | algorithm | most in any window | state |
 * |---|---|---|
 * | `exact` | the limit | 4 bytes for each call that counts |
 * | `sliding-window` | the limit; refuses at most 4 % early | up to 124 bytes |
 * | `gcra`, `token-bucket` | the limit + `burst`, smoothly | one number |
 * | `fixed-window` | twice the limit around the end of a window | one number |
 */
export type Algorithm = "exact" | "sliding-window" | "gcra" | "token-bucket" | "fixed-window";

/** A limit as a store counts it. */
export interface Rule {
  /** The name of the preset. */
  readonly name: string;
  /** How it is counted. */
  readonly algorithm: Algorithm;
  /** How much is allowed in a window. */
  readonly limit: number;
  /** The length of a window in milliseconds. */
  readonly window: number;
  /** How much is allowed at once, by `gcra` and `token-bucket`. The others allow the limit. */
  readonly burst: number;
}

/**
 * What is done to a limit:
 * `check`: count, if it fits · `reserve`: the same, so that it can be taken back · `peek`: look only · `penalize`:
 * count, whether it fits or not · `refund`: take back what was reserved · `reset`: forget all.
 */
export type Action = "check" | "reserve" | "peek" | "penalize" | "refund" | "reset";

/** What was reserved, for its refund. */
export interface Reserved {
  /** The receipt. */
  readonly receipt: number;
  /** When, in microseconds. */
  readonly at: number;
  /** The mark of the count: another one once what was counted before cannot be taken back. */
  readonly mark: number;
  /** How much refunds had given back, by the algorithms that have to know. */
  readonly given: number;
}

/**
 * One step of a {@linkcode LimitStore}.
 *
 * @typeParam Of How the limit is known: to a store as a rule.
 */
export interface Step<Of extends Rule = Rule> {
  /** The limit. */
  readonly rule: Of;
  /** Whose. */
  readonly id: string;
  /** What is done. */
  readonly action: Action;
  /** How much. */
  readonly cost: number;
  /** What a refund takes back. */
  readonly reserved?: Reserved;
  /** Whether the limit was changed since, for a refund. */
  readonly moved?: boolean;
  /** What makes a refund one that is taken once, however often it is tried: a name that nobody else draws. */
  readonly ticket?: string;
  /** The receipt of the check that a refund takes back, where nothing else is known of it. */
  readonly receipt?: number;
}

/** How a limit stands after a step. Times are milliseconds from the step on. */
export interface Standing {
  /** Whether it fits, or would; of a refund, whether something was given back. */
  readonly allowed: boolean;
  /** How much is left. */
  readonly remaining: number;
  /** Until nothing counts any more. */
  readonly resetAfter: number;
  /** Until the same would be allowed; 0 when it is. */
  readonly retryAfter: number;
  /** Until more is left than now; 0 when nothing counts. */
  readonly moreAfter: number;
  /** What identifies a check for its refund. */
  readonly receipt: number;
  /** What was reserved. */
  readonly reserved?: Reserved;
}

/** Where limits are counted. Each call is one atomic step, decided by the clock of the store. */
export interface LimitStore extends AsyncDisposable {
  /** Ends it; what comes later rejects, and says what ended it. */
  [Symbol.asyncDispose](by?: ClosedBy): PromiseLike<void>;
  /** What kind of store it is. */
  readonly kind: "memory" | "redis";
  /** Milliseconds after which steps are given up now, where they can be. */
  readonly timeout?: number;
  /** Says that it cannot wait for replicas, where it has some but cannot. */
  assertReplicates?(): void;
  /**
   * Takes steps together: if one of several checks is refused, none of them counts.
   *
   * @param steps What to do.
   * @param signal Ends the wait; what was already sent counts all the same.
   * @param replication Is told of what is counted, where replicas are to have it; a store without any tells it nothing.
   * @throws {UnavailableError} If the store does not answer in time.
   */
  run(steps: readonly Step[], signal?: AbortSignal, replication?: Replication): Promise<Standing[]>;
}

/** The longest that the ticket of a refund is kept, in milliseconds. */
export const TICKET_KEPT = 300_000;
