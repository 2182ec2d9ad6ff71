import type { Rule } from "../store.ts";
import type { AlgorithmDefinition, AlgorithmStep, Outcome, Question } from "./algorithm.ts";
import { EXACT_LUA } from "./exact_script.ts";
import { MAX_CALLS } from "./parts.ts";

/** Milliseconds of a window from which on the times of calls take five bytes. */
const LONG = 24 * 86_400_000;

/** When each call was counted, in milliseconds, oldest first. */
export type ExactState = readonly number[];

/** Counts every call for exactly one window: a sliding log. */
export function exact(
  state: ExactState | undefined,
  rule: Rule,
  now: number,
  question: Question,
): Outcome<ExactState> {
  const { limit, window } = rule;
  const { action, cost, receipt } = question;
  let times = state ?? [];
  let changed = false;
  const last = times.at(-1);
  // The clock went back: what was counted lies as far back now as it did then.
  if (last !== undefined && last > now) {
    times = times.map((time) => time - (last - now));
    changed = true;
  }
  let first = 0;
  while (first < times.length && times[first]! <= now - window) first++;
  if (first > 0) times = times.slice(first);
  const live = times.length;
  let allowed = true;
  let cut = false;
  let retryAfter = 0;
  if (action === "penalize") {
    const all = [...times, ...Array(Math.min(cost, limit)).fill(now)];
    const over = Math.max(0, all.length - Math.max(limit, live));
    cut = live > 0 && over > 0 && all[over - 1] === now;
    times = all.slice(over);
    changed = true;
  } else if (action === "refund") {
    let end = times.length;
    while (end > 0 && times[end - 1]! > receipt) end--;
    let start = end;
    while (start > 0 && times[start - 1] === receipt && end - start < cost) start--;
    allowed = end > start;
    if (allowed) {
      times = [...times.slice(0, start), ...times.slice(end)];
      changed = true;
    }
  } else if (live + cost <= limit) {
    if (action === "check") {
      times = [...times, ...Array(cost).fill(now)];
      changed = true;
    }
  } else {
    allowed = false;
    retryAfter = times[live + cost - limit - 1]! + window - now;
  }
  const used = times.length;
  return {
    standing: {
      allowed,
      remaining: Math.max(0, limit - used),
      resetAfter: used === 0 ? 0 : times[used - 1]! + window - now,
      retryAfter,
      moreAfter: used === 0 ? 0 : times[Math.max(0, used - limit)]! + window - now,
      receipt: now,
    },
    cut,
    ...(changed && { state: times }),
  };
}

/** The algorithm `exact`. */
export const EXACT: AlgorithmDefinition = {
  state: "e",
  step: exact as AlgorithmStep<unknown>,
  lua: EXACT_LUA,
  name: "exact",
  numbers: ({ limit, window }) => [limit, window, window <= LONG ? 4 : 5],
  maxLimit: MAX_CALLS,
};
