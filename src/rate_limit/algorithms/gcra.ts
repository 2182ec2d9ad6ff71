import type { Rule } from "../store.ts";
import type { AlgorithmDefinition, AlgorithmStep, Outcome, Question } from "./algorithm.ts";
import { GCRA_LUA } from "./gcra_script.ts";

/** What was used of a bucket at a moment. All numbers are whole. */
export interface GcraState {
  /** The moment, in microseconds. */
  readonly at: number;
  /** What was used then and has not come back, in parts of a call. */
  readonly debt: number;
  /**
   * How many parts a call had, and how many came back in a microsecond: those of a limit that was changed meanwhile
   * were others.
   */
  readonly token: number;
  readonly drain: number;
}

/** Up to here whole numbers are exact, sums of two of them too. */
const EXACT = 2 ** 52;

/** Calls in a millisecond up to which a call is a whole number of microseconds: at most a twentieth is lost by that. */
const SLOW = 50;

/**
 * In how many parts a call is counted, and how many of them come back in a microsecond: whole numbers, never faster
 * than the limit. Where calls are as short as some microseconds, to the call as many as the limit says.
 */
export function flowOf({ window, limit, burst }: Rule): { token: number; drain: number } {
  const us = window * 1000;
  if (limit <= SLOW * window) return { token: Math.ceil(us / limit), drain: 1 };
  const common = divisorOf(us, limit);
  if (burst * (us / common) <= EXACT) return { token: us / common, drain: limit / common };
  // Numbers that have nothing in common and are large.
  const most = Math.min(EXACT / (burst * Math.ceil(us / limit)), EXACT / us, 2 ** 30);
  const drain = 2 ** Math.max(0, Math.floor(Math.log2(most)));
  return { token: Math.ceil(us * drain / limit), drain };
}

/** Bits of the length of a call that are kept where a call is a whole number of microseconds. */
const BITS = 18;

/**
 * The length of a call as it is kept: with so many bits, which say how much was used well enough when a limit is
 * changed.
 */
function rounded(token: number): number {
  let unit = 1;
  while (token / unit >= 2 ** BITS) unit *= 2;
  return Math.floor(token / unit) * unit;
}

function divisorOf(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}

/**
 * The generic cell rate algorithm, which is a token bucket that holds `burst` tokens and gets one back every
 * window/limit.
 */
export function gcra(
  state: GcraState | undefined,
  rule: Rule,
  now: number,
  question: Question,
): Outcome<GcraState> {
  const { burst } = rule;
  const { action, cost, receipt, at, moved } = question;
  const us = now * 1000;
  const { token, drain } = flowOf(rule);
  const size = drain === 1 ? rounded(token) : token;
  const most = burst * token;
  let debt = 0;
  let changed = false;
  if (state) {
    const before = state.debt - (us - state.at) * state.drain;
    const same = state.token === size && state.drain === drain;
    // Calls that were used stay so when the limit is changed.
    const left = same ? before : Math.ceil(before / state.token * token);
    changed = left > most; // the clock went back, or the preset was changed
    debt = Math.max(0, Math.min(left, most));
  }
  let allowed = true;
  let cut = false;
  let given = 0;
  let retryAfter = 0;
  if (action === "penalize") {
    cut = debt > 0 && debt + cost * token > most;
    debt = Math.min(debt + cost * token, most);
    changed = true;
  } else if (action === "refund") {
    // Not more than what has not come back by itself: a call comes back when those before it have. If the limit was
    // changed meanwhile nobody knows when that was, but it cannot have been faster than from the start.
    const left = (moved ? cost * token : receipt) - (us - at) * drain;
    given = Math.max(0, Math.min(cost * token, left, debt));
    allowed = given > 0;
    debt -= given;
    changed ||= allowed;
  } else if (debt + cost * token <= most) {
    if (action === "check") {
      debt += cost * token;
      changed = true;
    }
  } else {
    allowed = false;
    retryAfter = Math.ceil((debt + cost * token - most) / (drain * 1000));
  }
  const remaining = Math.floor((most - debt) / token);
  return {
    standing: {
      allowed,
      remaining,
      resetAfter: Math.ceil(debt / (drain * 1000)),
      retryAfter,
      moreAfter: remaining === burst ? 0 : Math.ceil((debt + (remaining + 1) * token - most) / (drain * 1000)),
      receipt: debt,
    },
    cut,
    given,
    ...(changed && { state: { at: us, debt, token: size, drain } }),
  };
}

/** The algorithm `gcra`, which `token-bucket` is too. */
export const GCRA: AlgorithmDefinition = {
  state: "g",
  step: gcra as AlgorithmStep<unknown>,
  lua: GCRA_LUA,
  name: "gcra",
  prepares: true,
  numbers: (rule) => {
    const { token, drain } = flowOf(rule);
    return [rule.burst, token, drain];
  },
  hasBurst: true,
};
