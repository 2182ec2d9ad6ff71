import type { Action, Rule, Standing } from "../store.ts";

/** One step of an algorithm: how the limit stands then, and the state to keep if it is another one. */
export interface Outcome<State> {
  /** How it stands. */
  readonly standing: Standing;
  /** The state after it, if it differs from that before. */
  readonly state?: State;
  /**
   * Whether a penalty has displaced what may have been counted at the same moment: what that was can no more be taken
   * back.
   */
  readonly cut?: boolean;
  /** How much a refund has given back, by `gcra`, in its own parts. */
  readonly given?: number;
}

/** What an algorithm is asked. */
export interface Question {
  /** What is done; resets and reservations are the store's own business. */
  readonly action: Exclude<Action, "reset" | "reserve">;
  /** How much. */
  readonly cost: number;
  /** The receipt of the check that a refund takes back. */
  readonly receipt: number;
  /** When that was, in microseconds. */
  readonly at: number;
  /** Whether the limit was changed since. */
  readonly moved: boolean;
}

/**
 * A way to count, in this process. It never changes the state that it is given: the caller keeps the new one, or does
 * not, when another limit refuses. The Lua function of the algorithm does the same step by step.
 */
export type AlgorithmStep<State> = (
  state: State | undefined,
  rule: Rule,
  now: number,
  question: Question,
) => Outcome<State>;

/** All that the service has to know of an algorithm. */
export interface AlgorithmDefinition {
  /** A part of each key, which keeps states of different algorithms apart. Must never change. */
  readonly state: string;
  /** Counts in this process. */
  readonly step: AlgorithmStep<unknown>;
  /**
   * The text of the Lua functions, with the prelude of `redis/scripts.ts`: `NAME`, which does what `step` does;
   * `NAME_life(rule)`, how long what is counted now may count (ms); and where `prepares` says so `NAME_prepare(rule)`,
   * called once for each rule of a call.
   */
  readonly lua: string;
  /** The name of the Lua function. */
  readonly name: string;
  /** Whether there is a `NAME_prepare`. */
  readonly prepares?: boolean;
  /** The numbers of a rule for the Lua functions: limit or burst (u32), and two more (u48, u32). */
  numbers(rule: Rule): readonly [most: number, a: number, b: number];
  /** Whether rules have a `burst`. */
  readonly hasBurst?: boolean;
  /** The largest limit, if it is not that of all. */
  readonly maxLimit?: number;
}
