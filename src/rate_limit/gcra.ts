import type { Outcome, Question } from "./algorithm.ts";
import type { Rule } from "./store.ts";

/** The theoretical arrival time of the next call, in microseconds. */
export type GcraState = number;

/** Microseconds that one call takes up, rounded up: never faster than the limit. */
export function intervalOf(rule: Rule): number {
  return Math.ceil(rule.window * 1000 / rule.limit);
}

/**
 * The generic cell rate algorithm, which is a token bucket that holds `burst` tokens and gets one back every
 * window/limit. All numbers are whole microseconds.
 */
export function gcra(
  state: GcraState | undefined,
  rule: Rule,
  now: number,
  question: Question,
): Outcome<GcraState> {
  const { burst } = rule;
  const { action, cost, receipt } = question;
  const us = now * 1000;
  const before = state ?? 0;
  const interval = intervalOf(rule);
  const tolerance = burst * interval;
  let changed = before > us + tolerance; // the clock went back, or the preset was changed
  let arrival = Math.max(us, Math.min(before, us + tolerance));
  let allowed = true;
  let retryAfter = 0;
  if (action === "penalize") {
    arrival = Math.min(arrival + cost * interval, us + tolerance);
    changed = true;
  } else if (action === "refund") {
    // Not more than what has not come back by itself.
    const back = Math.min(cost * interval, receipt - us, arrival - us);
    if (back > 0) {
      arrival -= back;
      changed = true;
    }
  } else if (arrival + cost * interval - tolerance <= us) {
    if (action === "check") {
      arrival += cost * interval;
      changed = true;
    }
  } else {
    allowed = false;
    retryAfter = Math.ceil((arrival + cost * interval - tolerance - us) / 1000);
  }
  const remaining = Math.floor((us + tolerance - arrival) / interval);
  return {
    standing: {
      allowed,
      remaining,
      resetAfter: Math.ceil((arrival - us) / 1000),
      retryAfter,
      moreAfter: remaining === burst ? 0 : Math.ceil((arrival + (remaining + 1) * interval - tolerance - us) / 1000),
      receipt: arrival,
    },
    ...(changed && { state: arrival }),
  };
}
