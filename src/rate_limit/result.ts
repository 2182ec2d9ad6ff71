/**
 * Who decided: `redis`, `memory` (the embedded store), `deny-cache` (this process remembers a refusal of Redis), and
 * while Redis does not answer `local` (counted in this process) or `policy` (not counted at all).
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
  /**
   * Whether as many replicas as `durability` wants had the count in time, so that a failover to one of them keeps it:
   * `false` for what was refused, or not counted by Redis. Without that option there is none.
   */
  readonly replicated?: boolean;
}

/** What came of a check. */
export interface RateLimitResult extends RateLimitState {
  /** Each limit that was checked, in the order asked; the fields above are those of the tightest. */
  readonly results: readonly RateLimitState[];
  /**
   * Adds `RateLimit`, `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), `X-RateLimit-*` unless switched
   * off, and for a refusal `Retry-After`. Those of other limits that are there already stay.
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
