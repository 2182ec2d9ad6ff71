import type { ConnectionInfo } from "./address.ts";

/** What tells something of a request. */
export type FromRequest<Info, Value> = (request: Request, info?: Info) => Value | Promise<Value>;

/**
 * By what callers are told apart: their address, the user that `options.user` tells (the id is `user:` and that), a
 * header such as `"header:x-api-key"` (`header:x-api-key:` and a hash of it), or whatever a function says (`by:` and
 * that). Without a user, header or answer it is the address.
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
  /**
   * How much a request takes. With 0 it passes without being counted; with more than the limit it is refused with
   * status 413.
   *
   * @default {1}
   */
  cost?: number | FromRequest<Info, number> | undefined;
  /**
   * Whether a request goes by without being counted. It is asked where the rule fits the path as it was sent, and not
   * where that is only another spelling.
   */
  skip?: FromRequest<Info, boolean> | undefined;
  /** Counts and tells, but refuses nothing: to try a limit out. @default {false} */
  shadow?: boolean | undefined;
}

/**
 * What holds on a route: a name, or limits, or several of them with callers told apart in different ways. `[]` exempts
 * the route from the rules after it.
 */
export type Route<Names extends string = string, Info = ConnectionInfo> =
  | Names
  | RouteLimits<Names, Info>
  | readonly (Names | RouteLimits<Names, Info>)[];

/**
 * Routes and their limits: `"POST /login"`, `"GET|PUT /files/:name"`, `"/static/*"`, `"*"`. A rule for `GET` is one for
 * `HEAD` too.
 *
 * A limit holds for each spelling that a router may accept as the path: in another case, with a slash at the end or two
 * in the middle, with dot segments, escapes, matrix parameters. What exempts (`[]`, `skip`) or ends the search holds
 * for the path as it was sent: in another spelling the rules after it count as well.
 *
 * @example A service
 * ```ts
 * import { connect } from "@larder/larder";
 *
 * const redis = await connect();
 * const app = redis.rateLimit.guard({
 *   "POST /login": "AUTH",
 *   "/static/*": "STATIC",
 *   "/api/*": { limits: ["API", "DEFAULT"], by: "header:x-api-key" },
 *   "*": "DEFAULT",
 * }, () => new Response("hello"));
 * Deno.serve(app);
 *
 * // POST /login → 200
 * // GET /static/logo.png → 200
 * ```
 */
export type Rules<Names extends string = string, Info = ConnectionInfo> = Readonly<
  Record<string, Route<Names, Info>>
>;
