import type { Action, Rule, Standing } from "../store.ts";

/** One step of an algorithm: how the limit stands then, and the state to keep if it is another one. */
export interface Outcome<State> {
  /** How it stands. */
  readonly standing: Standing;
  /** The state after it, if it differs from that before. */
  readonly state?: State;
  /** Whether a penalty has displaced what may have been counted at the same moment: what that was can no more be taken back. */
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
 * A way to count. It never changes the state that it is given: the caller keeps the new one, or does not, when another
 * limit refuses. The Lua functions of `exact_script.ts` and so on do the same step by step.
 */
export type Algorithm<State> = (
  state: State | undefined,
  rule: Rule,
  now: number,
  question: Question,
) => Outcome<State>;
