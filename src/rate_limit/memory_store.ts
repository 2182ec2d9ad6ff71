import { LRUCache } from "lru-cache";
import { describe } from "../describe.ts";
import { type ClosedBy, UnavailableError } from "../errors.ts";
import { assertOptions, optionNames } from "../option_names.ts";
import type { Algorithm, Outcome } from "./algorithm.ts";
import { exact } from "./exact.ts";
import { fixedWindow } from "./fixed_window.ts";
import { gcra } from "./gcra.ts";
import { slidingWindow } from "./sliding_window.ts";
import { type LimitStore, type Rule, type Standing, STATES, type Step } from "./store.ts";

/** How much a memory store keeps. */
export interface MemoryLimitStoreOptions {
  /** Most identities whose counts are kept; the least recently used goes. @default {100_000} */
  maxEntries?: number;
  /** The time in milliseconds. @default {Date.now} */
  now?: () => number;
}

const OPTIONS = optionNames<MemoryLimitStoreOptions>({ maxEntries: true, now: true });

// Each limit has one algorithm, so a state only ever meets the one that made it.
const ALGORITHMS: Readonly<Record<Rule["algorithm"], Algorithm<unknown>>> = {
  "exact": exact as Algorithm<unknown>,
  "sliding-window": slidingWindow as Algorithm<unknown>,
  "gcra": gcra as Algorithm<unknown>,
  "token-bucket": gcra as Algorithm<unknown>,
  "fixed-window": fixedWindow as Algorithm<unknown>,
};

/**
 * Counts in this process, by the same rules as Redis does. Bounded: see {@linkcode MemoryLimitStoreOptions.maxEntries}.
 *
 * @example Two calls a minute
 * ```ts
 * import { MemoryLimitStore, RateLimiter } from "@larder/larder/rate-limit";
 * import { ManualClock } from "@larder/larder/testing";
 * import assert from "node:assert/strict";
 *
 * const clock = new ManualClock();
 * const limiter = new RateLimiter(new MemoryLimitStore({ now: clock.now })).define("MAIL", { limit: 2, window: "1m" });
 * await limiter.check("MAIL", "ada");
 * assert.equal((await limiter.check("MAIL", "ada")).allowed, true);
 * assert.equal((await limiter.check("MAIL", "ada")).allowed, false);
 * clock.advance("1m");
 * assert.equal((await limiter.check("MAIL", "ada")).allowed, true);
 * ```
 */
export class MemoryLimitStore implements LimitStore {
  /** It is one in memory. */
  readonly kind = "memory" as const;
  readonly #states: LRUCache<string, { state: unknown }>;
  readonly #now: () => number;
  #closed: ClosedBy | undefined;

  /**
   * Creates a store.
   *
   * @param options How much it keeps.
   * @throws {RangeError} If the number of entries is none.
   */
  constructor(options: MemoryLimitStoreOptions = {}) {
    assertOptions(options, OPTIONS, "open the embedded store");
    const { maxEntries = 100_000, now = () => Date.now() } = options;
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) {
      throw new RangeError(`Cannot create store: wanted "maxEntries" of at least 1, got ${describe(maxEntries)}`);
    }
    this.#states = new LRUCache({ max: maxEntries });
    this.#now = now;
  }

  /** Number of identities whose counts are kept. */
  get size(): number {
    return this.#states.size;
  }

  /** Takes steps together. */
  // deno-lint-ignore require-await -- answers at once, but like a store that cannot
  async run(steps: readonly Step[], signal?: AbortSignal): Promise<Standing[]> {
    signal?.throwIfAborted();
    if (this.#closed) throw new UnavailableError("count rate limit", "closed", { closedBy: this.#closed });
    const now = Math.floor(this.#now());
    const tentative = new Map<string, Outcome<unknown>>();
    const standings = steps.map((step) => this.#step(step, now, tentative));
    if (standings.every(({ allowed }) => allowed) || steps.length === 1) {
      for (const [key, outcome] of tentative) this.#keep(key, outcome);
      return standings;
    }
    return standings.map((standing, i) => {
      if (!standing.allowed) return standing;
      const look = this.#step({ ...steps[i]!, action: "peek" }, now, new Map());
      return { ...look, allowed: true, retryAfter: 0 };
    });
  }

  /** Forgets all. */
  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    this.#states.clear();
    return Promise.resolve();
  }

  #step(step: Step, now: number, tentative: Map<string, Outcome<unknown>>): Standing {
    const { rule, id, action, cost, receipt = 0 } = step;
    const key = `${STATES[rule.algorithm]}:${rule.name}:${id}`;
    if (action === "reset") {
      const standing = fresh(rule);
      tentative.set(key, { standing, state: undefined });
      return standing;
    }
    const before = tentative.get(key);
    const state = before ? before.state : this.#states.get(key)?.state;
    const outcome = ALGORITHMS[rule.algorithm](state, rule, now, { action, cost, receipt });
    if ("state" in outcome) tentative.set(key, outcome);
    return outcome.standing;
  }

  #keep(key: string, { standing, state }: Outcome<unknown>): void {
    if (state === undefined || standing.resetAfter <= 0) this.#states.delete(key);
    else this.#states.set(key, { state });
  }
}

/** How a limit stands of which nothing was used. */
function fresh(rule: Rule): Standing {
  const remaining = rule.algorithm === "gcra" || rule.algorithm === "token-bucket" ? rule.burst : rule.limit;
  return { allowed: true, remaining, resetAfter: 0, retryAfter: 0, moreAfter: 0, receipt: 0 };
}
