import { type HeaderStyle, writeHeaders } from "./headers.ts";
import { problemResponse } from "./problem.ts";
import type { DecisionSource, RateLimitResult, RateLimitState } from "./result.ts";

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
  declare readonly replicated?: boolean;
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
    if (state.replicated !== undefined) this.replicated = state.replicated;
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
 * Redis counts a call at the end of its millisecond, so that what it takes seems to come back up to one after its
 * window. That is no news to anybody, and as whole seconds it would be one more.
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
