import { sharesState } from "./algorithms/registry.ts";
import { describe } from "../util/describe.ts";
import type { EventListener } from "../observe/events.ts";
import { assertKey } from "../util/keys.ts";
import { assertOptions } from "../util/option_names.ts";
import { CHECK, PEEK } from "./option_names.ts";
import type { CheckOptions, LimitEntry, RateLimitOptions } from "./options.ts";
import { assertWhole, type Preset, presetOf, type PresetOptions, PRESETS } from "./presets.ts";
import type { Action, Step } from "./store.ts";

/** The options of a call that was given none. */
export const NONE: CheckOptions = Object.freeze({});
/** Most limits of one transaction. */
const MOST_ENTRIES = 64;

/** The limits that a limiter knows by name. */
export class Presets {
  readonly #presets = new Map<string, Preset>();
  readonly #on: EventListener | undefined;

  constructor(presets: RateLimitOptions["presets"] = {}, on: EventListener | undefined) {
    this.#on = on;
    for (const [name, preset] of Object.entries({ ...PRESETS, ...presets })) {
      if (preset !== undefined) this.#presets.set(name, presetOf(name, preset));
    }
  }

  /** Adds one, or changes it; tells when it is counted by another algorithm then. */
  define(name: string, options: PresetOptions): void {
    const preset = presetOf(name, options);
    const before = this.#presets.get(name);
    if (before && !sharesState(before, preset)) {
      const why = options.algorithm === undefined ? `, since its limit is ${preset.limit}` : "";
      const message = `The rate limit "${name}" is counted by "${preset.algorithm}" from now on${why}, and was by ` +
        `"${before.algorithm}": it begins anew. Say algorithm: "${before.algorithm}" to keep what was counted`;
      this.#on?.({ type: "warning", message });
    }
    this.#presets.set(name, preset);
  }

  /** The one of this name. */
  get(name: string): Preset | undefined {
    return this.#presets.get(name);
  }

  /** Whether there is one. */
  has(name: string): boolean {
    return this.#presets.has(name);
  }

  /**
   * What is done to one.
   *
   * @throws {TypeError | RangeError} If there is none of this name, or the id or the cost cannot be used.
   */
  step(action: Action, name: string, id: string, options: CheckOptions = NONE): Step<Preset> {
    if (options !== NONE) assertOptions(options, action === "peek" ? PEEK : CHECK, `${action} rate limit`);
    return this.#step(action, name, id, options.cost);
  }

  #step(action: Action, name: string, id: string, cost: number = 1): Step<Preset> {
    const rule = this.#presets.get(name);
    if (!rule) {
      const names = [...this.#presets.keys()].join(", ");
      throw new TypeError(`Cannot ${action} rate limit: wanted one of ${names}, got ${describe(name)}`);
    }
    assertKey(id, undefined, `${action} rate limit`, "id");
    if (cost !== 1) assertWhole(cost, rule.most, `${action} "${name}"`, "as the cost");
    return { rule, id, action, cost };
  }

  /**
   * The checks of a transaction.
   *
   * @throws {TypeError | RangeError} If it is none.
   */
  steps(entries: readonly LimitEntry[]): Step<Preset>[] {
    if (!Array.isArray(entries) || entries.length === 0 || entries.length > MOST_ENTRIES) {
      const got = describe(entries);
      throw new TypeError(`Cannot check rate limits: wanted an array of 1 to ${MOST_ENTRIES} [name, id], got ${got}`);
    }
    return (entries as readonly LimitEntry[]).map((entry) => {
      if (Array.isArray(entry)) return this.#step("check", entry[0], entry[1], entry[2]);
      throw new TypeError(`Cannot check rate limits: wanted [name, id], got ${describe(entry)}`);
    });
  }
}
