import { callQuietly } from "../util/callbacks.ts";
import { describe } from "../util/describe.ts";
import type { EventListener } from "../observe/events.ts";
import { certainLoad } from "../web/current_load.ts";
import { withHeaders } from "../web/own_response.ts";
import { badRequest, targetOf, targetTooLong } from "../web/target.ts";
import { assertOptions } from "../util/option_names.ts";
import type { ConnectionInfo } from "./address.ts";
import { Callbacks } from "./callbacks.ts";
import { functionId, headerId, userId } from "./callers.ts";
import type { DecideOptions, GateDecision, GateOptions } from "./gate_options.ts";
import { assertMethods } from "./methods.ts";
import { DECIDE, GATE } from "./option_names.ts";
import { neverResponse } from "./problem.ts";
import { refusedResult } from "./check_result.ts";
import type { Limiter } from "./limiter.ts";
import type { LimitEntry } from "./options.ts";
import type { RateLimitResult } from "./result.ts";
import { type CompiledLimits, type CompiledRoute, compileRoutes, findRoutes, type SpellingOptions } from "./routes.ts";
import type { LimitBy, Rules } from "./rules.ts";

/** A limit to be counted, and the rule that asks for it. */
interface RouteCheck<Info> {
  readonly route: CompiledRoute<Info>;
  readonly entry: readonly [name: string, id: string, cost: number];
}

/** A request, and when callbacks that are asked about it have to have answered. */
interface RequestContext<Info> {
  readonly request: Request;
  readonly info: Info | undefined;
  readonly until: number;
}

/** Most limits of one transaction. */
const MOST = 64;
/** The longest path, in characters; servers in front of services take no more in one line. */
const LONGEST = 8192;

const untouched: GateDecision = { apply: (response) => response };

/** Decides about requests by rules. */
export class Gate<Info extends ConnectionInfo = ConnectionInfo> {
  readonly #limiter: Limiter;
  readonly #routes: readonly CompiledRoute<Info>[];
  readonly #options: GateOptions<Info>;
  readonly #spelling: SpellingOptions;
  readonly #on: EventListener | undefined;
  readonly #callbacks: Callbacks;

  /**
   * Creates a gate. `RateLimiter.gate()` does it for you.
   *
   * @param limiter Whose limits they are.
   * @param rules Which limits hold where.
   * @param options Who the user is, what to do about refusals.
   * @param on Told of refusals that were let pass.
   * @throws {TypeError | RangeError} If a rule makes no sense or names a limit that there is not.
   */
  constructor(
    limiter: Limiter,
    rules: Rules<string, Info>,
    options: GateOptions<Info> = {},
    on?: EventListener,
  ) {
    assertOptions(options, GATE, "guard");
    for (const name of ["user", "onLimited", "respond"] as const) {
      const given: unknown = options[name];
      if (given === undefined || typeof given === "function") continue;
      throw new TypeError(`Cannot guard: wanted a function as "${name}", got ${describe(given)}`);
    }
    for (const name of ["caseSensitive", "strict"] as const) {
      const given: unknown = options[name];
      if (given === undefined || typeof given === "boolean") continue;
      throw new TypeError(`Cannot guard: wanted a boolean as "${name}", got ${describe(given)}`);
    }
    this.#limiter = limiter;
    this.#options = options;
    this.#spelling = { caseSensitive: options.caseSensitive === true, strict: options.strict === true };
    this.#on = on;
    this.#callbacks = new Callbacks(on);
    if (options.methods !== undefined) assertMethods(options.methods);
    this.#routes = compileRoutes(rules, limiter, options.user !== undefined, options.methods);
  }

  /**
   * Counts a request, and decides about it. One whose target or `Host` is none is answered with 400, one with a path of
   * more than 8 KiB with 414; neither counts.
   *
   * @param request The request.
   * @param info What `Deno.serve` tells of the connection.
   * @param options How a framework reads the path.
   * @returns The response, if it is refused, and what adds the headers to that which follows if not.
   */
  async decide(request: Request, info?: Info, options: DecideOptions = {}): Promise<GateDecision> {
    assertOptions(options, DECIDE, "decide about a request");
    if (options.path !== undefined && typeof options.path !== "string") {
      throw new TypeError(`Cannot decide about a request: wanted text as "path", got ${describe(options.path)}`);
    }
    const found = certainLoad(request, info);
    const load = found instanceof Promise ? await found : found;
    if (load) {
      // A shared response is made for whoever waits for it, or for nobody.
      if (!load.asker) return untouched;
      return await this.#decide(load.asker, load.connection as Info | undefined ?? info, options);
    }
    return await this.#decide(request, info, options);
  }

  async #decide(request: Request, info: Info | undefined, options: DecideOptions): Promise<GateDecision> {
    const target = targetOf(request);
    if (!target) return { ...untouched, response: badRequest() };
    const { path } = options;
    const paths = path === undefined || path === target.path ? [target.path] : [target.path, path];
    if (paths.some((path) => path.length > LONGEST)) return { ...untouched, response: targetTooLong() };
    const found = findRoutes(this.#routes, request, { paths, query: target.query }, this.#spelling);
    const until = this.#callbacks.until();
    const counted: RouteCheck<Info>[] = [];
    const shadows: RouteCheck<Info>[][] = [];
    for (const { route, exact } of found) {
      for (const limits of route.limits) {
        const checks = await this.#checksOf(route, limits, exact, { request, info, until });
        if (limits.shadow) shadows.push(once(checks));
        else counted.push(...checks);
      }
    }
    // All in one tick, so that they share a call.
    const shadowed = shadows.map((checks) => this.#checkShadow(request, checks));
    const [decision] = await Promise.all([this.#check(once(counted), request), ...shadowed]);
    return decision;
  }

  async #check(checks: readonly RouteCheck<Info>[], request: Request): Promise<GateDecision> {
    if (checks.length === 0) return untouched;
    const entries = checks.map(({ entry }) => entry);
    const never = entries.some((entry) => this.#isTooMuch(entry));
    const result = await (never ? this.#refuse(entries) : this.#limiter.checkAll(entries.slice(0, MOST)));
    const apply = (response: Response) => withHeaders(response, (headers) => result.headers(headers));
    if (result.allowed) return entries.length > MOST ? await this.#check(checks.slice(MOST), request) : { apply };
    this.#tell(request, checks, result, false);
    const own = await this.#respond(checks[0]!.route, result, request);
    if (!own) return { response: never ? neverResponse(result) : result.response(), apply };
    const response = withHeaders(own, (headers) => {
      result.headers(headers);
      if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
    });
    return { response, apply };
  }

  #isTooMuch([name, , cost]: RouteCheck<Info>["entry"]): boolean {
    return cost > this.#limiter.maxCost(name);
  }

  /** How the limits stand of a call that takes more than there can ever be; nothing is counted. */
  async #refuse(entries: readonly RouteCheck<Info>["entry"][]): Promise<RateLimitResult> {
    const states = await Promise.all(entries.map(([name, id]) => this.#limiter.peek(name, id)));
    const result = refusedResult(states, (i) => this.#isTooMuch(entries[i]!));
    result.results.forEach(({ allowed, name, limit, retryAfter, source }, i) => {
      if (!allowed) this.#on?.({ type: "limit.refused", name, id: entries[i]![1], limit, retryAfter, source });
    });
    return result;
  }

  async #respond(
    route: CompiledRoute<Info>,
    result: RateLimitResult,
    request: Request,
  ): Promise<Response | undefined> {
    const { respond } = this.#options;
    if (!respond) return undefined;
    const response: unknown = await this.#callbacks.ask(
      "respond",
      route.text,
      this.#callbacks.until(),
      () => respond(result, request),
      undefined,
    );
    if (response instanceof Response && !response.bodyUsed && !response.body?.locked) return response;
    if (response !== undefined) {
      this.#callbacks.warn("respond", route.text, `wanted a response, got ${describe(response)}`);
    }
    return undefined;
  }

  /** What a request takes of some limits: nothing where it is skipped. */
  async #checksOf(
    route: CompiledRoute<Info>,
    { names, by = "ip", cost = 1, skip }: CompiledLimits<Info>,
    exact: boolean,
    context: RequestContext<Info>,
  ): Promise<RouteCheck<Info>[]> {
    const { request, info, until } = context;
    if (skip && exact) {
      const skipped = await this.#callbacks.ask("skip", route.text, until, () => skip(request, info), false);
      if (skipped === true) return [];
    }
    const known = await this.#idOf(route, by, context);
    const id = known ?? this.#limiter.address(request, info);
    let amount: unknown = cost;
    if (typeof cost === "function") {
      amount = await this.#callbacks.ask("cost", route.text, until, () => cost(request, info), 1);
      if (!(typeof amount === "number" && amount >= 0 && (Number.isInteger(amount) || amount === Infinity))) {
        this.#callbacks.warn("cost", route.text, `wanted a whole number from 0 on, got ${describe(amount)}`);
        amount = 1;
      }
    }
    if (amount === 0) return [];
    return names.map((name) => ({ route, entry: [name, id, amount as number] }));
  }

  /** Who calls; `undefined` where only the address tells. */
  async #idOf(
    route: CompiledRoute<Info>,
    by: LimitBy<Info>,
    { request, info, until }: RequestContext<Info>,
  ): Promise<string | undefined> {
    if (by === "ip") return undefined;
    if (typeof by === "function") {
      return await this.#callbacks.ask("by", route.text, until, () => then(by(request, info), functionId), undefined);
    }
    if (by === "user") {
      const { user } = this.#options;
      return await this.#callbacks.ask("user", route.text, until, () => then(user!(request, info), userId), undefined);
    }
    const name = by.slice("header:".length);
    return headerId(name, request.headers.get(name));
  }

  async #checkShadow(request: Request, checks: readonly RouteCheck<Info>[]): Promise<void> {
    if (checks.length === 0) return;
    try {
      const result = await this.#limiter.checkAll(checks.map(({ entry }): LimitEntry => entry));
      if (!result.allowed) this.#tell(request, checks, result, true);
    } catch (error) {
      this.#callbacks.warn("shadow", checks[0]!.route.text, (error as Error).message);
    }
  }

  #tell(request: Request, checks: readonly RouteCheck<Info>[], result: RateLimitResult, shadow: boolean): void {
    const { name, retryAfter, results } = result;
    const at = results.findIndex((one) => !one.allowed && one.name === name && one.retryAfter === retryAfter);
    const { route, entry: [, id] } = checks[at]!;
    if (shadow) this.#on?.({ type: "limit.shadow", name: result.name, id, route: route.text });
    callQuietly(this.#options.onLimited, { request, route: route.text, id, result, shadow });
  }
}

/** A handler behind a gate, with the headers of the limits on its responses. */
export function guarded<Info extends ConnectionInfo>(
  open: () => Gate<Info>,
  handler: (request: Request, info: Info) => Response | Promise<Response>,
): (request: Request, info?: Info) => Promise<Response> {
  if (typeof handler !== "function") {
    throw new TypeError(`Cannot guard: wanted a function as the handler, got ${describe(handler)}`);
  }
  const gate = open();
  return async (request, info) => {
    const { response, apply } = await gate.decide(request, info);
    return response ?? apply(await handler(request, info as Info));
  };
}

/** What is made of an answer, now or later. */
function then<From, To>(answer: From | Promise<From>, make: (answer: From) => To): To | Promise<To> {
  return answer instanceof Promise ? answer.then(make) : make(answer);
}

/** Each limit of each identity once, as when a user who is not known is told apart by address: at the highest cost. */
function once<Info>(all: readonly RouteCheck<Info>[]): RouteCheck<Info>[] {
  const kept: RouteCheck<Info>[] = [];
  for (const one of all) {
    const [name, id, cost] = one.entry;
    const at = kept.findIndex(({ entry }) => name === entry[0] && id === entry[1]);
    if (at === -1) kept.push(one);
    else if (cost > kept[at]!.entry[2]) kept[at] = one;
  }
  return kept;
}

export type { DecideOptions, GateDecision, GateOptions, Refusal } from "./gate_options.ts";
export type { FromRequest, LimitBy, Route, RouteLimits, Rules } from "./rules.ts";
