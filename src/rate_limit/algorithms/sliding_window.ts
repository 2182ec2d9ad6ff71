import type { Rule } from "../store.ts";
import type { AlgorithmDefinition, AlgorithmStep, Outcome, Question } from "./algorithm.ts";
import { SLIDING_WINDOW_LUA } from "./sliding_window_script.ts";
import { MAX_TOTAL, PARTS } from "./parts.ts";

/** How much was counted in which part of time. */
export interface SlidingState {
  /** The length of a part in microseconds. */
  readonly width: number;
  /** The number of the newest part since 1970. */
  readonly last: number;
  /** The counts of the parts up to the newest, oldest first; the first is not 0. */
  readonly counts: readonly number[];
}

/** The length of a part in microseconds. */
export function widthOf(rule: Rule): number {
  return Math.ceil(rule.window * 1000 / PARTS);
}

/** How many bytes a count takes. */
export function bytesOf(rule: Rule): number {
  return rule.limit < 2 ** 8 ? 1 : rule.limit < 2 ** 16 ? 2 : rule.limit < 2 ** 24 ? 3 : 4;
}

/** Counts by parts of the window, and a part as long as any moment of it can be in the window. */
export function slidingWindow(
  state: SlidingState | undefined,
  rule: Rule,
  now: number,
  question: Question,
): Outcome<SlidingState> {
  const { limit } = rule;
  const { action, cost, receipt } = question;
  const us = now * 1000;
  const width = widthOf(rule);
  const current = Math.floor(us / width);
  let { counts, last, changed } = present(state, width, us, limit);
  let total = sum(counts);
  let allowed = true;
  let cut = false;
  let retryAfter = 0;
  // When the part with this number stops to count.
  const ends = (part: number) => Math.ceil(((part + PARTS + 1) * width - us) / 1000);
  const freed = (needed: number) => {
    let gone = 0;
    let i = 0;
    while (i < counts.length && gone < needed) gone += counts[i++]!;
    return ends(last - counts.length + i);
  };
  const add = (amount: number, most: number) => {
    const grown = counts.length === 0 ? [0] : [...counts, ...Array(current - last).fill(0)];
    const before = grown.at(-1)!;
    cut = before > 0 && before + amount > most;
    grown[grown.length - 1] = Math.min(most, before + amount, before + MAX_TOTAL - total);
    counts = grown;
    last = current;
    changed = true;
    total = sum(counts);
  };
  if (action === "penalize") {
    add(cost, limit);
  } else if (action === "refund") {
    const i = receipt - (last - counts.length + 1);
    const found = counts[i] ?? 0;
    allowed = found > 0;
    if (allowed) {
      const after = [...counts];
      after[i] = Math.max(0, found - cost);
      ({ counts, last } = trimmed(after, last));
      changed = true;
      total = sum(counts);
    }
  } else if (total + cost <= limit) {
    if (action === "check") add(cost, limit);
  } else {
    allowed = false;
    retryAfter = freed(total + cost - limit);
  }
  return {
    standing: {
      allowed,
      remaining: Math.max(0, limit - total),
      resetAfter: total === 0 ? 0 : ends(last),
      retryAfter,
      moreAfter: total === 0 ? 0 : freed(Math.max(1, total - limit + 1)),
      receipt: current,
    },
    cut,
    ...(changed && { state: { width, last, counts } }),
  };
}

/** The state without what counts no more. */
function present(
  state: SlidingState | undefined,
  width: number,
  us: number,
  limit: number,
): { counts: readonly number[]; last: number; changed: boolean } {
  const current = Math.floor(us / width);
  if (!state) return { counts: [], last: current, changed: false };
  if (state.width !== width) {
    // The preset was changed: whatever still counts is taken for new.
    const total = sum(present(state, state.width, us, limit).counts);
    return { counts: total === 0 ? [] : [Math.min(limit, total)], last: current, changed: true };
  }
  const jumped = state.last > current; // the clock went back
  const last = jumped ? current : state.last;
  const old = Math.max(0, current - PARTS - (last - state.counts.length + 1));
  const left = trimmed(old > 0 ? state.counts.slice(old) : state.counts, last);
  return { ...left, changed: jumped };
}

/** The counts without zeros at either end. */
function trimmed(counts: readonly number[], last: number): { counts: readonly number[]; last: number } {
  let start = 0;
  let end = counts.length;
  while (start < end && counts[start] === 0) start++;
  while (end > start && counts[end - 1] === 0) end--;
  if (start === 0 && end === counts.length) return { counts, last };
  return { counts: counts.slice(start, end), last: last - (counts.length - end) };
}

function sum(counts: readonly number[]): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}

/** The algorithm `sliding-window`. */
export const SLIDING_WINDOW: AlgorithmDefinition = {
  state: "s",
  step: slidingWindow as AlgorithmStep<unknown>,
  lua: SLIDING_WINDOW_LUA,
  name: "sliding",
  numbers: (rule) => [rule.limit, widthOf(rule), bytesOf(rule)],
};
