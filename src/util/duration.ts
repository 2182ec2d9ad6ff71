import { describe } from "./describe.ts";
import { refuse } from "./refusal.ts";

/**
 * A length of time: a number of **seconds**, fractions allowed, or a string of a number and a unit: `"250ms"`, `"30s"`,
 * `"5m"`, `"1.5h"`, `"7d"`. Where a time to live is meant, `0` and `Infinity` mean that it never ends.
 */
export type Duration = number | string;

/** What {@linkcode toMilliseconds} accepts. */
export interface DurationLimits {
  /**
   * The least, in milliseconds.
   *
   * @default {0}
   */
  min?: number;
  /**
   * The most, in milliseconds.
   *
   * @default {MAX_MILLISECONDS}
   */
  max?: number;
  /**
   * Whether it is a time to live, for which `Infinity` says the same as `0`: it never ends.
   *
   * @default {false}
   */
  forever?: boolean;
}

/** What a time to live may be. */
export const TIME_TO_LIVE: DurationLimits = { forever: true };

/**
 * The longest duration, 100 years in milliseconds. Added to the present time and counted in microseconds it is still an
 * exact integer.
 */
export const MAX_MILLISECONDS: number = 36_525 * 86_400_000;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PATTERN = /^(-?\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|d)$/;

/** The milliseconds, not rounded, or undefined for what is no duration at all. */
function parse(value: unknown): number | undefined {
  if (typeof value === "number") return value * 1000;
  if (typeof value !== "string") return undefined;
  const match = PATTERN.exec(value);
  if (match === null) return undefined;
  return Number(match[1]) * UNITS[match[2]!]!;
}

/** Milliseconds in the largest unit that shows them as a whole number. */
function show(milliseconds: number): string {
  let text = `${milliseconds}ms`;
  for (const [unit, size] of Object.entries(UNITS)) {
    if (milliseconds >= size && milliseconds % size === 0) text = `${milliseconds / size}${unit}`;
  }
  return text;
}

/** The end of the sentence "wanted …" for a duration within limits. */
export function describeDuration({ min = 0, max = MAX_MILLISECONDS }: DurationLimits = {}): string {
  const kind = 'seconds as a number or a string such as "30s"';
  if (max < MAX_MILLISECONDS) {
    return min > 0 ? `${kind}, from ${show(min)} to ${show(max)}` : `${kind}, up to ${show(max)}`;
  }
  return min > 0 ? `${kind}, at least ${show(min)}` : kind;
}

/** As {@linkcode describeDuration} of a value that does not fit: one that is too long is told how long it may be. */
export function wantedDuration(value: unknown, limits: DurationLimits = {}): string {
  const { max = MAX_MILLISECONDS } = limits;
  const wanted = describeDuration(limits);
  return max === MAX_MILLISECONDS && (parse(value) ?? 0) > max ? `${wanted}, up to ${show(max)} (100 years)` : wanted;
}

/**
 * The duration in milliseconds, a whole number. What is more than nothing never becomes 0, because 0 has a meaning of
 * its own.
 *
 * @param value What came.
 * @param what The name of the option, for the error.
 * @param limits The least and the most.
 * @throws {TypeError} If the value is neither a number nor a string of a number and a unit.
 * @throws {RangeError} If it is negative, not a number, infinite or outside the limits.
 */
export function toMilliseconds(value: unknown, what: string, limits: DurationLimits = {}): number {
  const { min = 0, max = MAX_MILLISECONDS } = limits;
  if (limits.forever && value === Infinity) return 0;
  const exact = parse(value);
  const milliseconds = exact === undefined ? NaN : exact > 0 ? Math.max(1, Math.round(exact)) : exact;
  if (milliseconds >= min && milliseconds <= max) return milliseconds === 0 ? 0 : milliseconds; // no -0
  const refusal = { option: what, wanted: wantedDuration(value, limits), got: describe(value) };
  throw refuse(exact === undefined ? TypeError : RangeError, `use "${what}"`, refusal);
}
