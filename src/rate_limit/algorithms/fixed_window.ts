import type { Rule } from "../store.ts";
import type { AlgorithmDefinition, AlgorithmStep, Outcome, Question } from "./algorithm.ts";
import { FIXED_WINDOW_LUA } from "./fixed_window_script.ts";

/** A window that began with its first call. */
export interface FixedState {
  /** When it ends, in milliseconds. */
  readonly end: number;
  /** What was counted in it. */
  readonly count: number;
}

/** Counts in windows that begin with the first call. Around the end of one, twice the limit may pass. */
export function fixedWindow(
  state: FixedState | undefined,
  rule: Rule,
  now: number,
  question: Question,
): Outcome<FixedState> {
  const { limit, window } = rule;
  const { action, cost, receipt } = question;
  let end = 0;
  let count = 0;
  let changed = false;
  if (state && state.end > now) {
    count = state.count;
    end = Math.min(state.end, now + window);
    changed = end !== state.end; // the clock went back, or the preset was changed
  }
  let allowed = true;
  let cut = false;
  const add = (amount: number) => {
    if (count === 0) end = now + window;
    count += amount;
    changed = true;
  };
  if (action === "penalize") {
    cut = count > 0 && count + cost > limit;
    add(Math.min(cost, Math.max(0, limit - count)));
  } else if (action === "refund") {
    allowed = count > 0 && end === receipt;
    if (allowed) {
      count = Math.max(0, count - cost);
      changed = true;
    }
  } else if (count + cost <= limit) {
    if (action === "check") add(cost);
  } else {
    allowed = false;
  }
  const left = count > 0 ? end - now : 0;
  return {
    standing: {
      allowed,
      remaining: Math.max(0, limit - count),
      resetAfter: left,
      retryAfter: allowed || action === "refund" ? 0 : left,
      moreAfter: left,
      receipt: end,
    },
    cut,
    ...(changed && { state: { end, count } }),
  };
}

/** The algorithm `fixed-window`. */
export const FIXED_WINDOW: AlgorithmDefinition = {
  state: "f",
  step: fixedWindow as AlgorithmStep<unknown>,
  lua: FIXED_WINDOW_LUA,
  name: "fixed",
  numbers: ({ limit, window }) => [limit, window, 0],
};
