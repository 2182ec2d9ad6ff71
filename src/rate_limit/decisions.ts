import { type ClosedBy, RedisError, UnavailableError } from "../errors.ts";
import type { EventListener } from "../observe/events.ts";
import { DenyCache } from "./deny_cache.ts";
import type { Durability } from "../redis/durability.ts";
import { ReplicaCalls } from "../redis/replica_calls.ts";
import type { Replication } from "../redis/replication.ts";
import { FallbackLimiter } from "./fallback.ts";
import type { CheckOptions } from "./options.ts";
import { assertWhole, type Preset } from "./presets.ts";
import type { DecisionSource, RateLimitState } from "./result.ts";
import type { LimitStore, Reserved, Standing, Step } from "./store.ts";

/** How a decider works. */
export interface DeciderOptions {
  /** What share of a limit this process allows by itself. */
  readonly localShare: number;
  /** How many refusals are remembered. */
  readonly maxDenials: number;
  /** On how many replicas what is counted has to be, where calls say nothing else. */
  readonly durability: Durability | undefined;
  /** Told when the store does not answer, and when it does again. */
  readonly on: EventListener | undefined;
}

/** What is said of one count. */
type CountOptions = Pick<CheckOptions, "durability" | "signal">;

/** What came of a check. */
export interface Decision {
  /** How the limit stands. */
  readonly state: RateLimitState;
  /** What was reserved, where it was counted. */
  readonly reserved?: Reserved | undefined;
}

/** How limits stand, and as the store says it. */
interface Decided {
  readonly states: RateLimitState[];
  readonly standings: readonly Standing[];
}

/** Decides: by what it remembers, by the store, or, while that does not answer, by the policies of the presets. */
export class Decider implements AsyncDisposable {
  readonly #store: LimitStore;
  readonly #on: EventListener | undefined;
  readonly #denied: DenyCache | undefined;
  readonly #fallback: FallbackLimiter;
  readonly #replicas: ReplicaCalls;
  #degraded = false;
  /** Whether the store answers, but refuses writes: what writes nothing says nothing about that. */
  #refuses = false;
  /** When the first check was asked since the last reply: to look at the clock for each takes its time. */
  #since: number | undefined;

  constructor(store: LimitStore, { localShare, maxDenials, durability, on }: DeciderOptions) {
    this.#store = store;
    this.#on = on;
    this.#denied = store.kind === "redis" && maxDenials > 0 ? new DenyCache(maxDenials) : undefined;
    this.#fallback = new FallbackLimiter(localShare);
    this.#replicas = new ReplicaCalls(store, durability, "open rate limits", on);
  }

  /** Milliseconds after which the store is given up now, if it can be. */
  get timeout(): number | undefined {
    return this.#store.timeout;
  }

  /** Checks one limit. */
  check(step: Step<Preset>, { durability, signal }: CountOptions): Promise<Decision> {
    const replication = this.#replicas.begin(durability, "check rate limit");
    const decision = this.#check(step, signal, replication);
    return replication ? this.#replicated(decision, replication, signal) : decision;
  }

  async #replicated(
    decided: Promise<Decision>,
    replication: Replication,
    signal: AbortSignal | undefined,
  ): Promise<Decision> {
    const { state, reserved } = await decided;
    return { state: await this.#replicas.told(state, replication, "count rate limit", signal), reserved };
  }

  async #check(
    step: Step<Preset>,
    signal: AbortSignal | undefined,
    replication: Replication | undefined,
  ): Promise<Decision> {
    const { rule, id, cost } = step;
    const denied = this.#denied;
    const known = denied?.find(rule.name, id, cost);
    if (known) {
      signal?.throwIfAborted();
      return { state: stateOf(rule, rule.limit, known, "deny-cache") };
    }
    // It may be a little too early: then the refusal is repeated for less long.
    const since = denied ? this.#since ??= denied.now() : 0;
    const forgotten = denied ? denied.forgotten : 0;
    const steps = [step];
    let standings: readonly Standing[];
    try {
      standings = await this.#store.run(steps, signal, replication);
    } catch (error) {
      this.#since = undefined;
      const decided = await this.#decide(steps, error, signal);
      return { state: decided.states[0]!, reserved: decided.standings[0]!.reserved };
    }
    this.#since = undefined;
    if (this.#degraded) this.#succeeded(steps, standings);
    const standing = standings[0]!;
    if (denied && !standing.allowed) denied.add(rule.name, id, cost, standing, since, forgotten);
    return { state: stateOf(rule, rule.limit, standing, this.#store.kind), reserved: standing.reserved };
  }

  /**
   * Checks several limits, all or nothing.
   *
   * @throws {RangeError} If some can never pass together.
   */
  async checkAll(
    steps: readonly Step<Preset>[],
    { durability, signal }: CountOptions,
  ): Promise<RateLimitState[]> {
    const replication = this.#replicas.begin(durability, "check rate limits");
    const alone = assertPossible(steps);
    const denied = this.#denied;
    const [since, forgotten] = [denied?.now() ?? 0, denied?.forgotten ?? 0];
    const { states, standings } = await this.#run(steps, signal, replication);
    states.forEach(({ allowed, degraded }, i) => {
      const { rule, id, cost } = steps[i]!;
      if (!allowed && !degraded && alone[i]) denied?.add(rule.name, id, cost, standings[i]!, since, forgotten);
    });
    if (!replication) return states;
    const replicated = await this.#replicas.end(replication, "count rate limit", signal);
    return states.map((state) => ({ ...state, replicated }));
  }

  /** Looks. */
  async peek(step: Step<Preset>, signal: AbortSignal | undefined): Promise<RateLimitState> {
    const { states } = await this.#run([step], signal, undefined);
    return states[0]!;
  }

  /** Takes from a limit, whether or not there is that much. */
  async penalize(step: Step<Preset>, { durability, signal }: CountOptions): Promise<RateLimitState> {
    const replication = this.#replicas.begin(durability, "penalize rate limit");
    const { states } = await this.#run([step], signal, replication);
    return await this.#replicas.told(states[0]!, replication, "count rate limit", signal);
  }

  /**
   * Takes back what was reserved, where it was counted, and tells whether something was given back; nothing when the
   * store does not answer, so that nobody knows.
   */
  async refund(
    step: Step<Preset>,
    source: DecisionSource,
    signal: AbortSignal | undefined,
  ): Promise<boolean | undefined> {
    if (source === "policy" || source === "deny-cache") return false;
    if (source === "local") return await this.#fallback.refund(step);
    const standing = await this.#giveBack(step, signal);
    return standing?.allowed;
  }

  /** Forgets what was counted, and tells whether the store has done so. */
  async reset(step: Step<Preset>, signal: AbortSignal | undefined): Promise<boolean> {
    const [done] = await Promise.all([this.#giveBack(step, signal), this.#fallback.reset(step.rule, step.id)]);
    return done !== undefined;
  }

  /** Forgets what it remembers. */
  forget(): void {
    this.#denied?.clear();
  }

  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    this.forget();
    await this.#store[Symbol.asyncDispose](by);
  }

  /** Takes steps, in the store or by policy. */
  async #run(
    steps: readonly Step<Preset>[],
    signal: AbortSignal | undefined,
    replication: Replication | undefined,
  ): Promise<Decided> {
    try {
      const standings = await this.#store.run(steps, signal, replication);
      if (this.#degraded) this.#succeeded(steps, standings);
      const source = this.#store.kind;
      return {
        states: standings.map((one, i) => stateOf(steps[i]!.rule, steps[i]!.rule.limit, one, source)),
        standings,
      };
    } catch (error) {
      return await this.#decide(steps, error, signal);
    }
  }

  /** Decides by policy, since the store has failed; throws what is no outage. */
  async #decide(
    steps: readonly Step<Preset>[],
    error: unknown,
    signal: AbortSignal | undefined,
  ): Promise<Decided> {
    this.#failed(error, signal);
    const standings = await this.#fallback.run(steps);
    return { states: standings.map((one, i) => stateOf(steps[i]!.rule, one.limit, one, one.source)), standings };
  }

  /** Takes a step after which there is more than before, and tells how it stands then, if the store answers. */
  async #giveBack(step: Step, signal: AbortSignal | undefined): Promise<Standing | undefined> {
    try {
      const standings = await this.#store.run([step], signal);
      if (this.#degraded) this.#succeeded([step], standings);
      return standings[0];
    } catch (error) {
      this.#failed(error, signal);
      return undefined;
    } finally {
      // Afterwards: a refusal from before may have arrived meanwhile.
      this.#denied?.delete(step.rule.name, step.id);
    }
  }

  /** Throws what is no outage. */
  #failed(error: unknown, signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    const outage = error instanceof UnavailableError ? error.reason !== "closed" : error instanceof RedisError;
    if (!outage) throw error;
    if (error instanceof RedisError) this.#refuses = true;
    if (this.#degraded) return;
    this.#degraded = true;
    this.#on?.({ type: "limit.degraded", error });
  }

  /** The store has answered: a full server answers looks, refusals and resets, too. */
  #succeeded(steps: readonly Step[], standings: readonly Standing[]): void {
    const { action } = steps[0]!;
    const wrote = action === "penalize" ||
      ((action === "check" || action === "reserve") && standings.every(({ allowed }) => allowed));
    if (action === "peek" || (this.#refuses && !wrote)) return;
    this.#degraded = this.#refuses = false;
    this.#on?.({ type: "limit.recovered" });
  }
}

/**
 * Tells of each step whether no other is about the same count. One that shares it may be refused for the sake of the
 * others alone.
 *
 * @throws {RangeError} If some can never pass together.
 */
function assertPossible(steps: readonly Step<Preset>[]): boolean[] {
  return steps.map(({ rule, id, cost }, i) => {
    const others = steps.filter((other, j) => j !== i && other.rule === rule && other.id === id);
    if (others.length === 0) return true;
    const together = others.reduce((sum, other) => sum + other.cost, cost);
    assertWhole(together, rule.most, `check "${rule.name}"`, "as the cost of all");
    return false;
  });
}

/** What a result says, in seconds. */
function stateOf(rule: Preset, limit: number, standing: Standing, source: DecisionSource): RateLimitState {
  // Some of it is back after a window at the latest, however it is counted.
  const longest = rule.window * Math.max(1, rule.burst / rule.limit);
  return {
    name: rule.name,
    allowed: standing.allowed,
    limit,
    window: rule.window / 1000,
    remaining: standing.remaining,
    resetAfter: standing.resetAfter / 1000,
    retryAfter: standing.retryAfter / 1000,
    moreAfter: Math.min(standing.moreAfter, longest) / 1000,
    degraded: source === "local" || source === "policy",
    source,
  };
}
