import { problemResponse } from "./problem.ts";
import { type HeaderStyle, writeHeaders } from "./headers.ts";

/**
 * Who decided: `redis`, `memory` (the embedded store), `deny-cache` (this process remembers a refusal of Redis), and while Redis
 * does not answer `local` (counted in this process) or `policy` (not counted at all).
 */
export type DecisionSource = "redis" | "memory" | "deny-cache" | "local" | "policy";

/** How one limit stands. */
export interface RateLimitState {
  /** The name of the preset. */
  readonly name: string;
  /** Whether the call may go on. */
  readonly allowed: boolean;
  /** How much is allowed in a window. */
  readonly limit: number;
  /** The length of a window, in seconds. */
  readonly window: number;
  /** How much is left now. */
  readonly remaining: number;
  /** Seconds until all of the limit is there again, to the millisecond. */
  readonly resetAfter: number;
  /** Seconds until the same call would be allowed, to the millisecond; 0 when it is allowed. */
  readonly retryAfter: number;
  /** Seconds until more is left than now, to the millisecond; 0 when nothing is used. */
  readonly moreAfter: number;
  /** Whether Redis did not answer, so that the policy of the preset decided. */
  readonly degraded: boolean;
  /** Who decided. */
  readonly source: DecisionSource;
}

/** What came of a check. */
export interface RateLimitResult extends RateLimitState {
  /** Each limit that was checked, in the order asked; the fields above are those of the tightest. */
  readonly results: readonly RateLimitState[];
  /**
   * Adds `RateLimit`, `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), `X-RateLimit-*` unless switched off, and for a
   * refusal `Retry-After`. Those of other limits that are there already stay.
   *
   * @param headers Those of the response.
   */
  headers(headers: Headers): void;
  /**
   * The response to a refused call: 429, or 503 when it was refused because Redis does not answer, with a body in
   * `application/problem+json`, the headers above, and `Cache-Control: no-store`.
   *
   * @throws {TypeError} If the call is allowed.
   */
  response(): Response;
}

/** The results of one transaction. */
export class CheckResult implements RateLimitResult {
  readonly name: string;
  readonly allowed: boolean;
  readonly limit: number;
  readonly window: number;
  readonly remaining: number;
  readonly resetAfter: number;
  readonly retryAfter: number;
  readonly moreAfter: number;
  readonly degraded: boolean;
  readonly source: DecisionSource;
  readonly #results: readonly RateLimitState[] | undefined;
  readonly #style: HeaderStyle;

  constructor(state: RateLimitState, style: HeaderStyle, results?: readonly RateLimitState[]) {
    this.name = state.name;
    this.allowed = state.allowed;
    this.limit = state.limit;
    this.window = state.window;
    this.remaining = state.remaining;
    this.resetAfter = withinWindow(state.resetAfter, state.window);
    this.retryAfter = state.retryAfter;
    this.moreAfter = withinWindow(state.moreAfter, state.window);
    this.degraded = state.degraded;
    this.source = state.source;
    this.#style = style;
    this.#results = results?.map((one) => ({
      ...one,
      resetAfter: withinWindow(one.resetAfter, one.window),
      moreAfter: withinWindow(one.moreAfter, one.window),
    }));
  }

  get results(): readonly RateLimitState[] {
    return this.#results ?? [this];
  }

  /** How others stand, written in the same way. */
  with(results: readonly RateLimitState[]): CheckResult {
    return new CheckResult(tightest(results), this.#style, results);
  }

  headers(headers: Headers): void {
    writeHeaders(headers, this, this.#style);
  }

  response(): Response {
    return problemResponse(this);
  }
}

/**
 * Redis counts a call at the end of its millisecond, so that what it takes seems to come back up to one after its window. That is no
 * news to anybody, and as whole seconds it would be one more.
 */
function withinWindow(seconds: number, window: number): number {
  return seconds > window && seconds < window + 0.0015 ? window : seconds;
}

/** The one that says most about all: of refusals the longest, else that of which least is left. */
export function tightest(states: readonly RateLimitState[]): RateLimitState {
  return states.reduce((a, b) => {
    if (a.allowed !== b.allowed) return a.allowed ? b : a;
    if (!a.allowed) return b.retryAfter > a.retryAfter ? b : a;
    return b.remaining < a.remaining ? b : a;
  });
}

/**
 * The result of a call that was not counted, since some limits can never allow it.
 *
 * @param looks How the limits stand.
 * @param isRefused Whether one of them can never allow it.
 */
export function refusedResult(looks: readonly RateLimitResult[], isRefused: (i: number) => boolean): RateLimitResult {
  const results = looks.map((look, i): RateLimitState => {
    const { name, limit, window, remaining, resetAfter, moreAfter, degraded, source } = look;
    const allowed = !isRefused(i);
    const retryAfter = allowed ? 0 : window;
    return { name, allowed, limit, window, remaining, resetAfter, retryAfter, moreAfter, degraded, source };
  });
  return (looks[0] as CheckResult).with(results);
}
