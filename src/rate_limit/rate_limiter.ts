import type { ClosedBy } from "../errors.ts";
import { type EventListener, safeListener } from "../observe/events.ts";
import { assertOptions } from "../util/option_names.ts";
import type { ConnectionInfo } from "./address.ts";
import { Clients } from "./clients.ts";
import { setSchemeReader } from "./scheme_reader.ts";
import type { GateOptions } from "./gate_options.ts";
import { Gate, guarded } from "./guard.ts";
import type { HeaderStyle } from "./headers.ts";
import { Decider } from "./decisions.ts";
import { NONE, Presets } from "./named_presets.ts";
import { COUNT, OPERATION } from "./option_names.ts";
import type { CheckOptions, LimitEntry, PeekOptions, RateLimitOptions } from "./options.ts";
import { assertWhole, MAX_LIMIT, type PresetName, type PresetOptions } from "./presets.ts";
import { refundOf, type Reservation, ReservedResult } from "./reservation.ts";
import { CheckResult, tightest } from "./check_result.ts";
import type { RateLimitResult, RateLimitState } from "./result.ts";
import type { Rules } from "./rules.ts";
import { settingsOf } from "./settings.ts";
import { Decisions, type RateLimitStats } from "./stats.ts";
import { assertStore } from "../util/assert_store.ts";
import type { LimitStore } from "./store.ts";

/**
 * Named rate limits. Each check is counted and decided in one step, by the clock of the store; a refused call is not
 * counted.
 *
 * @typeParam Names The limits that there are, so that a wrong name does not compile.
 *
 * @example Five attempts in five minutes
 * ```ts
 * import { connect } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * async function login(ip: string): Promise<Response> {
 *   const attempt = await redis.rateLimit.check("AUTH", ip);
 *   if (!attempt.allowed) return attempt.response();
 *   const response = new Response("wrong password", { status: 401 });
 *   attempt.headers(response.headers);
 *   return response;
 * }
 * for (let i = 0; i < 5; i++) assert.equal((await login("192.0.2.7")).status, 401);
 * const refused = await login("192.0.2.7");
 * assert.equal(refused.status, 429);
 * assert.equal(refused.headers.get("RateLimit-Policy"), '"AUTH";q=5;w=300');
 * ```
 */
export class RateLimiter<Names extends string = PresetName> implements AsyncDisposable {
  readonly #decider: Decider;
  readonly #on: EventListener | undefined;
  readonly #presets: Presets;
  readonly #style: HeaderStyle;
  readonly #clients: Clients;
  readonly #decisions: Decisions;

  /**
   * Creates a limiter. `connect()` does it for you.
   *
   * @param store Where it counts.
   * @param options Presets and the like. `timeout` is the business of the store.
   * @param on Told what is refused, and when Redis does not answer.
   * @throws {TypeError | RangeError} If an option cannot be used.
   */
  constructor(store: LimitStore, options: RateLimitOptions<Names> = {}, on?: EventListener) {
    assertStore(store, "run", "open rate limits", "new MemoryLimitStore()");
    const { style, localShare, maxDenials } = settingsOf(options);
    this.#on = safeListener(on);
    this.#decisions = new Decisions(this.#on);
    this.#decider = new Decider(store, { localShare, maxDenials, durability: options.durability, on: this.#on });
    this.#style = style;
    this.#clients = new Clients(options, this.#on);
    setSchemeReader(this, options.trustProxy);
    this.#presets = new Presets(options.presets, this.#on);
  }

  /**
   * Adds a named limit, or changes one. It holds for this limiter, whatever else refers to it. What was counted stays,
   * unless it is counted by another algorithm now: then it begins anew, and a `warning` says so.
   *
   * @param name 1 to 64 letters, digits, `.`, `_` or `-`.
   * @param options How much, in which time.
   * @returns The same limiter, whose type knows the name.
   * @throws {TypeError | RangeError} If it cannot be such a limit.
   */
  define<Name extends string>(name: Name, options: PresetOptions): RateLimiter<Names | Name> {
    this.#presets.define(name, options);
    this.#decider.forget();
    return this as unknown as RateLimiter<Names | Name>;
  }

  /**
   * Counts a call, if the limit has room for it, and tells whether it may go on. While Redis does not answer, the
   * policy of the preset decides, within the deadline.
   *
   * @param name Which limit.
   * @param id Whose: an address, a user, an API key, up to 512 bytes.
   * @param options How much it takes, a signal.
   * @returns How the limit stands then.
   * @throws {TypeError} If there is no such limit, or the id cannot be one.
   * @throws {RangeError} If the cost can never be allowed.
   */
  async check(name: Names, id: string, options: CheckOptions = NONE): Promise<RateLimitResult> {
    const step = this.#presets.step("check", name, id, options);
    const { state } = await this.#decider.check(step, options);
    return this.#result(state, id);
  }

  /**
   * Checks several limits in one step: a call counts for all of them, or, when one refuses, for none.
   *
   * @param entries Each a name, an id and, if it is not 1, how much.
   * @param options A signal.
   * @returns How the tightest stands, with each of them in `results`.
   * @throws {TypeError} If there is no such limit, no entry, or too many, or an id cannot be one.
   * @throws {RangeError} If a cost can never be allowed.
   */
  async checkAll(
    entries: readonly LimitEntry<Names>[],
    options: Omit<CheckOptions, "cost"> = NONE,
  ): Promise<RateLimitResult> {
    if (options !== NONE) assertOptions(options, COUNT, "check rate limits");
    const steps = this.#presets.steps(entries);
    const first = steps[0]!;
    if (steps.length === 1) {
      const { state } = await this.#decider.check(first, options);
      return this.#result(state, first.id);
    }
    const states = await this.#decider.checkAll(steps, options);
    const tight = tightest(states);
    this.#decisions.countAll(tight, states, (i) => steps[i]!.id);
    return new CheckResult(tight, this.#style, states);
  }

  /**
   * Tells how a limit stands, without counting.
   *
   * @param name Which limit.
   * @param id Whose.
   * @param options How much a call would take, a signal.
   * @returns How it stands; `allowed` says whether such a call would be.
   * @throws {TypeError | RangeError} As {@linkcode RateLimiter.check} does.
   */
  async peek(name: Names, id: string, options: PeekOptions = NONE): Promise<RateLimitResult> {
    const step = this.#presets.step("peek", name, id, options);
    return new CheckResult(await this.#decider.peek(step, options.signal), this.#style);
  }

  /**
   * Counts a call that can be taken back, as for a limit of failed logins: all attempts are counted at once, so that no
   * number of them at the same time gets by, and those that succeed are refunded. One that is left alone stays counted.
   *
   * @param name Which limit.
   * @param id Whose.
   * @param options How much it takes, a signal.
   * @returns The result of the check, with `commit()` and `refund()`.
   * @throws {TypeError | RangeError} As {@linkcode RateLimiter.check} does.
   */
  async reserve(name: Names, id: string, options: CheckOptions = NONE): Promise<Reservation> {
    const step = this.#presets.step("reserve", name, id, options);
    const { state, reserved } = await this.#decider.check(step, options);
    const refund = refundOf(step, reserved);
    const takeBack = async (signal: AbortSignal | undefined) => {
      const taken = refund(this.#presets.get(name));
      return taken && await this.#decider.refund(taken, state.source, signal);
    };
    return new ReservedResult(this.#result(state, id), this.#style, takeBack);
  }

  /**
   * Takes from a limit as a punishment, whether or not there is that much: nothing may be left then, but nobody is shut
   * out for longer than a window.
   *
   * @param name Which limit.
   * @param id Whose.
   * @param amount How much, a whole number.
   * @param options A signal.
   * @returns How the limit stands then.
   * @throws {TypeError | RangeError} As {@linkcode RateLimiter.check} does.
   */
  async penalize(
    name: Names,
    id: string,
    amount: number = 1,
    options: Omit<CheckOptions, "cost"> = NONE,
  ): Promise<RateLimitResult> {
    if (options !== NONE) assertOptions(options, COUNT, "penalize rate limit");
    const step = this.#presets.step("penalize", name, id);
    assertWhole(amount, MAX_LIMIT, `penalize "${name}"`, "as the amount");
    const state = await this.#decider.penalize({ ...step, cost: Math.min(amount, step.rule.most) }, options);
    // What was said is how it stands for the next call.
    const allowed = state.allowed && state.remaining > 0;
    return new CheckResult({ ...state, allowed, retryAfter: allowed ? 0 : state.moreAfter }, this.#style);
  }

  /**
   * Forgets what was counted.
   *
   * @param name Which limit.
   * @param id Whose.
   * @param options A signal.
   * @returns Whether it was done; `false` when Redis does not answer. Other processes may repeat a refusal for up to
   * one second.
   * @throws {TypeError} If there is no such limit, or the id cannot be one.
   */
  async reset(name: Names, id: string, options: { signal?: AbortSignal | undefined } = NONE): Promise<boolean> {
    if (options !== NONE) assertOptions(options, OPERATION, "reset rate limit");
    return await this.#decider.reset(this.#presets.step("reset", name, id), options.signal);
  }

  /**
   * The address of the client of a request, in the form that limits count: that of the connection, or with `trustProxy`
   * that which the proxies say.
   *
   * @param request The request.
   * @param info What the server tells of the connection: what `Deno.serve` gives, Node's `IncomingMessage`, Bun's
   * server.
   * @returns An IPv4 address, an IPv6 network as in `"2001:db8::/64"`, or `"unknown"`, of which a `warning` tells once.
   */
  address(request: Request, info?: ConnectionInfo): string {
    return this.#clients.address(request, info);
  }

  /**
   * Puts limits in front of a handler for `Deno.serve`.
   *
   * Each rule is a method, if it is for one, and a path as `URLPattern` knows it; the first that fits the path as it
   * was sent ends the search, and `"*"` comes last. Rules in front of it that fit another spelling of it count as well:
   * see {@linkcode Rules}.
   *
   * @param rules Which limits hold where.
   * @param handler What answers the calls that are allowed.
   * @param options Who the user is, what to do about refusals.
   * @returns A handler that adds the headers of the limits to its responses.
   * @throws {TypeError} If a rule makes no sense or names a limit that there is not.
   */
  guard<Info extends ConnectionInfo>(
    rules: Rules<Names, Info>,
    handler: (request: Request, info: Info) => Response | Promise<Response>,
    options: GateOptions<Info> = {},
  ): (request: Request, info?: Info) => Promise<Response> {
    return guarded(() => this.gate(rules, options), handler);
  }

  /**
   * The same as {@linkcode RateLimiter.guard} in two steps, for frameworks: first decide, then add the headers to
   * whatever response follows.
   *
   * @param rules Which limits hold where.
   * @param options Who the user is, what to do about refusals.
   * @returns What decides.
   * @throws {TypeError} If a rule makes no sense or names a limit that there is not.
   */
  gate<Info extends ConnectionInfo = ConnectionInfo>(
    rules: Rules<Names, Info>,
    options: GateOptions<Info> = {},
  ): Gate<Info> {
    return new Gate(this as unknown as RateLimiter<string>, rules, options, this.#on);
  }

  /**
   * Seconds after which a check is given up now, from when it is written, and the policy of its preset decides; nothing
   * with the embedded store. Where no `timeout` was given it depends on how far away Redis is.
   */
  get timeout(): number | undefined {
    const milliseconds = this.#decider.timeout;
    return milliseconds === undefined ? undefined : milliseconds / 1000;
  }

  /** Whether there is a limit of this name. */
  has(name: string): boolean {
    return this.#presets.has(name);
  }

  /** The most that one call can take of a limit; 0 where there is none of this name. */
  maxCost(name: string): number {
    return this.#presets.get(name)?.most ?? 0;
  }

  /**
   * Ends the limiter with its store. Checks reject after that.
   *
   * @param by What ends it, for the errors of those who come later.
   */
  async [Symbol.asyncDispose](by: ClosedBy = "await using"): Promise<void> {
    await this.#decider[Symbol.asyncDispose](by);
  }

  /** What was done in this process so far. */
  stats(): RateLimitStats {
    return this.#decisions.stats();
  }

  #result(state: RateLimitState, id: string): RateLimitResult {
    this.#decisions.count(state, id);
    return new CheckResult(state, this.#style);
  }
}
