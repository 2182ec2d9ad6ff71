import { callQuietly } from "../callbacks.ts";
import { createHash } from "node:crypto";
import { describe } from "../describe.ts";
import type { EventListener } from "../events.ts";
import { withHeaders } from "../http/own_response.ts";
import { assertOptions } from "../option_names.ts";
import type { ConnectionInfo } from "./address.ts";
import { GATE } from "./option_names.ts";
import type { LimitEntry, RateLimiter } from "./rate_limiter.ts";
import type { RateLimitResult } from "./result.ts";
import { type CompiledRoute, compileRoutes, pathOf } from "./routes.ts";

/** What tells something of a request. */
export type FromRequest<Info, Value> = (request: Request, info?: Info) => Value | Promise<Value>;

/**
 * By what callers are told apart: their address, the user that `options.user` tells (the id is `user:` and that), a header such as `"header:x-api-key"` (of which
 * only a hash is kept), or whatever a function says. Without a user, header or answer it is the address.
 */
export type LimitBy<Info = ConnectionInfo> =
  | "ip"
  | "user"
  | `header:${string}`
  | FromRequest<Info, string | undefined>;

/** Limits of a route. */
export interface RouteLimits<Names extends string = string, Info = ConnectionInfo> {
  /** One or several; a call counts for all of them or for none. */
  limits: Names | readonly Names[];
  /** By what callers are told apart. @default {"ip"} */
  by?: LimitBy<Info> | undefined;
  /** How much a request takes. @default {1} */
  cost?: number | FromRequest<Info, number> | undefined;
  /** Whether a request goes by without being counted. */
  skip?: FromRequest<Info, boolean> | undefined;
  /** Counts and tells, but refuses nothing: to try a limit out. @default {false} */
  shadow?: boolean | undefined;
}

/** What holds on a route: a name, or limits, or several of them with callers told apart in different ways. */
export type Route<Names extends string = string, Info = ConnectionInfo> =
  | Names
  | RouteLimits<Names, Info>
  | readonly (Names | RouteLimits<Names, Info>)[];

/**
 * Routes and their limits: `"POST /login"`, `"GET|PUT /files/:name"`, `"/static/*"`, `"*"`. A rule for `GET` is one for `HEAD` too.
 */
export type Rules<Names extends string = string, Info = ConnectionInfo> = Readonly<
  Record<string, Route<Names, Info>>
>;

/** A refusal, for a log of abuse. */
export interface Refusal {
  /** The request. */
  readonly request: Request;
  /** The route, as it was written. */
  readonly route: string;
  /** Whose limit it is. */
  readonly id: string;
  /** What came of the check. */
  readonly result: RateLimitResult;
  /** Whether the request went on all the same. */
  readonly shadow: boolean;
}

/** Options of a guard. */
export interface GateOptions<Info = ConnectionInfo> {
  /** Who the user is, for limits by `"user"`. */
  user?: FromRequest<Info, string | undefined> | undefined;
  /** Told every refusal. What it throws is ignored, as is a promise of it that rejects. */
  onLimited?: ((refusal: Refusal) => void) | undefined;
  /** Makes the response to a refused call; the headers are added to it. */
  respond?: ((result: RateLimitResult, request: Request) => Response | Promise<Response>) | undefined;
}

/** What a gate decided. */
export interface GateDecision {
  /** The response to a refused call; absent when it may go on. */
  readonly response?: Response;
  /**
   * Adds the headers of the limits to the response of a call that went on.
   *
   * @param response Whatever answers.
   * @returns A response of its own with them; the one that was given stays as it is. A 101 is handed on.
   */
  apply(response: Response): Response;
}

/** Decides about requests by rules. */
export class Gate<Info extends ConnectionInfo = ConnectionInfo> {
  readonly #limiter: RateLimiter<string>;
  readonly #routes: readonly CompiledRoute<Info>[];
  readonly #options: GateOptions<Info>;
  readonly #on: EventListener | undefined;

  /**
   * Creates a gate. `RateLimiter.gate()` does it for you.
   *
   * @param limiter Whose limits they are.
   * @param rules Which limits hold where.
   * @param options Who the user is, what to do about refusals.
   * @param on Told of refusals that were let pass.
   * @throws {TypeError} If a rule makes no sense or names a limit that there is not.
   */
  constructor(
    limiter: RateLimiter<string>,
    rules: Rules<string, Info>,
    options: GateOptions<Info> = {},
    on?: EventListener,
  ) {
    assertOptions(options, GATE, "guard");
    this.#limiter = limiter;
    this.#options = options;
    this.#on = on;
    this.#routes = compileRoutes(rules, (name) => limiter.has(name), typeof options.user === "function");
  }

  /**
   * Counts a request, and decides about it.
   *
   * @param request The request.
   * @param info What `Deno.serve` tells of the connection.
   * @returns The response, if it is refused, and what adds the headers to that which follows if not.
   */
  async decide(request: Request, info?: Info): Promise<GateDecision> {
    const { method, url } = request;
    let pathname: string | undefined;
    const route = this.#routes.find(({ methods, pattern }) =>
      (!methods || methods.has(method)) && (!pattern || pattern.test({ pathname: pathname ??= pathOf(url) }))
    );
    if (!route) return { apply: (response) => response };
    const { entries, shadows } = await this.#entriesOf(route, request, info);
    // All in one tick, so that they share a call.
    const shadowed = shadows.map((shadow) => this.#checkShadow(route, request, shadow));
    const result = entries.length === 0 ? undefined : await this.#limiter.checkAll(entries);
    await Promise.all(shadowed);
    if (!result) return { apply: (response) => response };
    const apply = (response: Response) => withHeaders(response, (headers) => result.headers(headers));
    if (result.allowed) return { apply };
    this.#tell(route, request, entries, result, false);
    const { respond } = this.#options;
    const response = respond
      ? withHeaders(await respond(result, request), (headers) => {
        result.headers(headers);
        if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
      })
      : result.response();
    return { response, apply };
  }

  async #entriesOf(route: CompiledRoute<Info>, request: Request, info: Info | undefined): Promise<{
    entries: LimitEntry[];
    shadows: LimitEntry[][];
  }> {
    const entries: LimitEntry[] = [];
    const shadows: LimitEntry[][] = [];
    for (const { names, by = "ip", cost = 1, skip, shadow } of route.limits) {
      if (skip && await skip(request, info)) continue;
      const id = await this.#idOf(by, request, info);
      const amount = typeof cost === "function" ? await cost(request, info) : cost;
      const own = names.map((name): LimitEntry => [name, id, amount]);
      if (shadow) shadows.push(once(own));
      else entries.push(...own);
    }
    return { entries: once(entries), shadows };
  }

  async #idOf(by: LimitBy<Info>, request: Request, info: Info | undefined): Promise<string> {
    if (typeof by === "function") return bounded(await by(request, info)) ?? this.#limiter.address(request, info);
    if (by === "user") {
      const user = bounded(await this.#options.user!(request, info));
      if (user !== undefined) return `user:${user}`; // no user has the limit of an address
    } else if (by !== "ip") {
      const name = by.slice("header:".length);
      const value = request.headers.get(name);
      if (value) return `${name.toLowerCase()}:${hash(value)}`;
    }
    return this.#limiter.address(request, info);
  }

  async #checkShadow(route: CompiledRoute<Info>, request: Request, entries: LimitEntry[]): Promise<void> {
    try {
      const result = await this.#limiter.checkAll(entries);
      if (!result.allowed) this.#tell(route, request, entries, result, true);
    } catch (error) {
      const message = `A limit in shadow mode on ${describe(route.text)} cannot be checked: ${
        (error as Error).message
      }`;
      this.#on?.({ type: "warning", message });
    }
  }

  #tell(
    route: CompiledRoute<Info>,
    request: Request,
    entries: readonly LimitEntry[],
    result: RateLimitResult,
    shadow: boolean,
  ): void {
    const { name, retryAfter, results } = result;
    const at = results.findIndex((one) => !one.allowed && one.name === name && one.retryAfter === retryAfter);
    const id = entries[at]![1];
    if (shadow) this.#on?.({ type: "limit.shadow", name: result.name, id, route: route.text });
    callQuietly(this.#options.onLimited, { request, route: route.text, id, result, shadow });
  }
}

/** An id as it can be used: what callers send may be anything, and must neither fail nor share a limit with another. */
function bounded(id: string | undefined): string | undefined {
  if (id === undefined || id === "") return undefined;
  // deno-lint-ignore no-control-regex
  return id.length <= 128 && !/^sha256:|[\x00-\x1f\x7f-\x9f\ud800-\udfff]/.test(id) ? id : `sha256:${hash(id)}`;
}

/** Each limit of each identity once, as when a user who is not known is told apart by address: at the highest cost. */
function once(entries: readonly LimitEntry[]): LimitEntry[] {
  const kept: LimitEntry[] = [];
  for (const entry of entries) {
    const at = kept.findIndex(([name, id]) => name === entry[0] && id === entry[1]);
    if (at === -1) kept.push(entry);
    else if (entry[2]! > kept[at]![2]!) kept[at] = entry;
  }
  return kept;
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 27);
}
