import type { LRUCache } from "lru-cache";
import { describe } from "../util/describe.ts";
import { growingLru } from "../util/growing_lru.ts";
import { type ClosedBy, UnavailableError } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { Outcome, Question } from "./algorithms/algorithm.ts";
import { ALGORITHMS } from "./algorithms/registry.ts";
import { LiveStates } from "./live_states.ts";
import type { Action, LimitStore, Rule, Standing, Step } from "./store.ts";

/** How much a memory store keeps. */
export interface MemoryLimitStoreOptions {
  /**
   * Most identities whose counts are kept. What counts no more goes first, then ids that a guard made of what callers
   * send (a header, what a function says), the least recently used; a `warning` tells when others have to go.
   *
   * @default {100_000}
   */
  maxEntries?: number;
  /** The time in milliseconds. @default {Date.now} */
  now?: () => number;
  /** Told when counts had to go that were in use. */
  on?: EventListener | undefined;
}

const OPTIONS = optionNames<MemoryLimitStoreOptions>({ maxEntries: true, now: true, on: true });

/** What is kept of one limit of one identity. */
interface Kept {
  readonly id: string;
  readonly state: unknown;
  /** Milliseconds until nothing counts any more, from when it was kept. */
  readonly resetAfter: number;
  /** See {@linkcode Reserved.mark}. */
  readonly mark: number;
  /** See {@linkcode Reserved.given}. */
  readonly given: number;
}

const NOTHING: Omit<Kept, "id"> = { state: undefined, resetAfter: 0, mark: 0, given: 0 };

/** Refunds that are remembered; only one that is tried again is looked for. */
const MOST_TICKETS = 10_000;

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
  readonly #states: LiveStates;
  /** Refunds that were taken, so that none is taken twice. */
  readonly #tickets: LRUCache<string, boolean>;
  #marks = 0;
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
    const { maxEntries = 100_000, now = () => Date.now(), on } = options;
    if (!Number.isSafeInteger(maxEntries) || maxEntries < 1) {
      throw new RangeError(`Cannot create store: wanted "maxEntries" of at least 1, got ${describe(maxEntries)}`);
    }
    this.#states = new LiveStates(maxEntries, on);
    this.#tickets = growingLru(Math.min(maxEntries, MOST_TICKETS));
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
    const tentative = new Map<string, Kept>();
    const standings = steps.map((step) => this.#step(step, now, tentative));
    if (standings.every(({ allowed }) => allowed) || steps.length === 1) {
      for (const [key, kept] of tentative) this.#keep(key, kept, now);
      return standings;
    }
    return standings.map((standing, i) => {
      if (!standing.allowed) return standing;
      const look = this.#step({ ...steps[i]!, action: "peek" }, now, new Map());
      return { ...standing, ...look, allowed: true, retryAfter: 0 };
    });
  }

  /** Forgets all. */
  [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.#closed ??= by;
    this.#states.clear();
    this.#tickets.clear();
    return Promise.resolve();
  }

  #step(step: Step, now: number, tentative: Map<string, Kept>): Standing {
    const { rule, id, action, ticket } = step;
    const key = `${ALGORITHMS[rule.algorithm].state}:${rule.name}:${id}`;
    if (action === "reset") {
      const standing = fresh(rule);
      tentative.set(key, { id, state: undefined, resetAfter: 0, mark: 0, given: 0 });
      return standing;
    }
    // What was forgotten, or is new, has a mark that nothing else has had.
    const before = tentative.get(key) ?? this.#states.get(key, id) as Kept | undefined ?? NOTHING;
    const kept = before.state === undefined ? { ...before, mark: ++this.#marks, given: 0 } : before;
    const look = (asked: Action) => this.#ask(step, asked, kept, now);
    const taken = ticket === undefined ? undefined : this.#tickets.get(ticket);
    if (action === "refund" && (taken !== undefined || (step.reserved && step.reserved.mark !== kept.mark))) {
      return { ...look("peek").standing, allowed: taken ?? false, retryAfter: 0 };
    }
    const outcome = look(action);
    const { standing } = outcome;
    const mark = outcome.cut ? ++this.#marks : kept.mark;
    const given = kept.given + (outcome.given ?? 0);
    if ("state" in outcome) {
      tentative.set(key, { id, state: outcome.state, resetAfter: standing.resetAfter, mark, given });
    }
    if (action === "refund" && ticket !== undefined) this.#tickets.set(ticket, standing.allowed);
    if (action !== "reserve") return standing;
    return { ...standing, reserved: { receipt: standing.receipt, at: now * 1000, mark, given } };
  }

  #ask(step: Step, action: Action, { state, given }: Pick<Kept, "state" | "given">, now: number): Outcome<unknown> {
    const { rule, reserved, moved = false } = step;
    // Each limit has one algorithm, so a state only ever meets the one that made it.
    return ALGORITHMS[rule.algorithm].step(state, rule, now, {
      action: action === "reserve" ? "check" : action as Question["action"],
      cost: action === "peek" && step.action === "refund" ? 1 : step.cost,
      receipt: reserved ? reserved.receipt - (given - reserved.given) : step.receipt ?? 0,
      at: reserved?.at ?? 0,
      moved,
    });
  }

  #keep(key: string, kept: Kept, now: number): void {
    if (kept.state === undefined || kept.resetAfter <= 0) this.#states.delete(key, kept.id);
    else this.#states.set(key, kept.id, { state: kept, until: now + kept.resetAfter }, now);
  }
}

/** How a limit stands of which nothing was used. */
function fresh(rule: Rule): Standing {
  const remaining = ALGORITHMS[rule.algorithm].hasBurst ? rule.burst : rule.limit;
  return { allowed: true, remaining, resetAfter: 0, retryAfter: 0, moreAfter: 0, receipt: 0 };
}
