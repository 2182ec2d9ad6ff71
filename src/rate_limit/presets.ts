import { describe } from "../util/describe.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { refuse } from "../util/refusal.ts";
import type { AlgorithmDefinition } from "./algorithms/algorithm.ts";
import { ALGORITHM_NAMES, ALGORITHMS } from "./algorithms/registry.ts";
import type { Algorithm, Rule } from "./store.ts";

/** The limits that are there without being defined. */
export type PresetName = "DEFAULT" | "API" | "AUTH" | "STATIC";

/**
 * What happens while Redis does not answer: `local` counts in this process, against a share of the limit; `open` allows
 * everything; `closed` refuses everything, with status 503.
 */
export type OutagePolicy = "local" | "open" | "closed";

/**
 * A named limit.
 *
 * @example Uploads
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const limits = redis.rateLimit.define("UPLOAD", { limit: 10, window: "1h" });
 * assert.equal((await limits.check("UPLOAD", "user:7", { cost: 3 })).remaining, 7);
 * ```
 */
export interface PresetOptions {
  /** How much is allowed in a window: a whole number from 1 to 1,000,000,000. */
  limit: number;
  /** The length of a window: seconds, or a string such as `"5m"`, from 1 ms to 366 days. */
  window: Duration;
  /**
   * How it is counted. `exact` and `sliding-window` never admit more than the limit in any window.
   *
   * @default {"exact" up to a limit of 100, "sliding-window" above}
   */
  algorithm?: Algorithm | undefined;
  /**
   * How much is allowed at once, with `gcra` and `token-bucket`. In any window they admit up to the limit and this
   * together.
   *
   * @default {limit}
   */
  burst?: number | undefined;
  /**
   * What happens while Redis does not answer.
   *
   * @default {that of the preset with the same name, else "local"}
   */
  onUnavailable?: OutagePolicy | undefined;
}

const PRESET = optionNames<PresetOptions>({
  limit: true,
  window: true,
  algorithm: true,
  burst: true,
  onUnavailable: true,
});

/** A preset, checked and complete. */
export interface Preset extends Rule {
  /** What happens while Redis does not answer. */
  readonly onUnavailable: OutagePolicy;
  /** The most that one check can take. */
  readonly most: number;
}

/** The presets that are there without being defined. */
export const PRESETS: Readonly<Record<PresetName, Readonly<PresetOptions>>> = {
  DEFAULT: { limit: 100, window: "1m", onUnavailable: "local" },
  API: { limit: 1000, window: "1h", onUnavailable: "local" },
  AUTH: { limit: 5, window: "5m", onUnavailable: "closed" },
  STATIC: { limit: 1000, window: "1m", onUnavailable: "open" },
};

/** Up to this limit, `exact` is the default. */
const EXACT_UP_TO = 100;
/** The largest limit. */
export const MAX_LIMIT = 1_000_000_000;
/** Milliseconds in which a burst has to come back: 30 years. */
const LONGEST = 30 * 365 * 86_400_000;
const WINDOW = { min: 1, max: 366 * 86_400_000 };
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const WITH_BURST = ALGORITHM_NAMES.filter((name) => ALGORITHMS[name].hasBurst).map((name) => `"${name}"`).join(" or ");
const POLICIES = ["local", "open", "closed"];

/**
 * Checks a preset and fills in what is not given.
 *
 * @throws {TypeError} If something has the wrong shape.
 * @throws {RangeError} If a number is out of range.
 */
export function presetOf(name: unknown, options: unknown): Preset {
  if (typeof name !== "string" || !NAME.test(name)) {
    throw refuse(TypeError, "define rate limit", {
      wanted: 'a name of 1 to 64 letters, digits, ".", "_" or "-"',
      got: describe(name),
    });
  }
  const action = `define rate limit "${name}"`;
  if (typeof options !== "object" || options === null) {
    throw refuse(TypeError, action, { wanted: "{ limit, window }", got: describe(options) });
  }
  assertOptions(options, PRESET, action);
  const { limit, window, algorithm, burst, onUnavailable } = options as PresetOptions;
  const { maxLimit, hasBurst = false }: Partial<AlgorithmDefinition> = ALGORITHM_NAMES.includes(algorithm!)
    ? ALGORITHMS[algorithm!]
    : {};
  const why = maxLimit === undefined ? "" : ` with the algorithm "${algorithm}"`;
  assertWhole(limit, maxLimit ?? MAX_LIMIT, action, '"limit" to be', why);
  const milliseconds = toMilliseconds(window, `rateLimit.presets.${name}.window`, WINDOW);
  assertOneOf(algorithm, ALGORITHM_NAMES, action, '"algorithm" to be');
  assertOneOf(onUnavailable, POLICIES, action, '"onUnavailable" to be');
  if (burst !== undefined) {
    if (!hasBurst) {
      throw refuse(TypeError, action, {
        wanted: `"burst" only with the algorithm ${WITH_BURST}`,
        got: describe(burst),
      });
    }
    assertWhole(burst, MAX_LIMIT, action, '"burst" to be');
  }
  const interval = Math.ceil(milliseconds * 1000 / limit);
  if (hasBurst && interval * (burst ?? limit) > LONGEST * 1000) {
    throw refuse(RangeError, action, { wanted: 'a "burst" that comes back within 30 years', got: `${burst ?? limit}` });
  }
  const known = Object.hasOwn(PRESETS, name) ? PRESETS[name as PresetName] : undefined;
  return Object.freeze({
    name,
    limit,
    window: milliseconds,
    algorithm: algorithm ?? (limit <= EXACT_UP_TO ? "exact" : "sliding-window"),
    burst: burst ?? limit,
    onUnavailable: onUnavailable ?? known?.onUnavailable ?? "local",
    most: burst ?? limit,
  });
}

/**
 * Checks an amount.
 *
 * @throws {TypeError} If it is no number.
 * @throws {RangeError} If it is not a whole number from 1 to `most`.
 */
export function assertWhole(
  value: unknown,
  most: number,
  action: string,
  what: string,
  why: string = "",
): asserts value is number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return;
  const wanted = `${what} a whole number from 1 to ${most}${why}`;
  throw refuse(typeof value === "number" ? RangeError : TypeError, action, { wanted, got: describe(value) });
}

function assertOneOf(value: unknown, all: readonly string[], action: string, what: string): void {
  if (value === undefined || all.includes(value as string)) return;
  throw refuse(TypeError, action, { wanted: `${what} one of ${all.join(", ")}`, got: describe(value) });
}
