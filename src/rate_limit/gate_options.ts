import type { ConnectionInfo } from "./address.ts";
import type { RateLimitResult } from "./result.ts";
import type { FromRequest } from "./rules.ts";

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
  /**
   * Makes the response to a refused call; the headers are added to it. What it throws is a `warning`, and the usual
   * response.
   */
  respond?: ((result: RateLimitResult, request: Request) => Response | Promise<Response>) | undefined;
  /**
   * Whether `/Login` is another path than `/login`: only where the router behind says so, too.
   *
   * @default {false}
   */
  caseSensitive?: boolean | undefined;
  /**
   * Whether `/login/` is another path than `/login`: only where the router behind says so, too.
   *
   * @default {false}
   */
  strict?: boolean | undefined;
  /**
   * Methods that rules may name beside those of the HTTP Method Registry: all others are taken for misspelt.
   *
   * @default {[]}
   */
  methods?: readonly string[] | undefined;
}

/** What a framework knows of a request. */
export interface DecideOptions {
  /** The path as the framework reads it, where that may be another than that of the request. Both count. */
  path?: string | undefined;
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
