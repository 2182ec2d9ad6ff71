import { describe } from "../util/describe.ts";
import { assertOptions } from "../util/option_names.ts";
import { assertUrlPattern } from "../util/url_pattern.ts";
import { ROUTE } from "./option_names.ts";
import { methodsOf } from "./methods.ts";
import { assertBounded, compilePath, type PathPattern } from "./path_pattern.ts";
import type { Route, RouteLimits, Rules } from "./rules.ts";
import { readingsOf, withAndWithoutSlash } from "./spellings.ts";

/** A rule that is ready to be used. */
export interface CompiledRoute<Info> {
  /** As it was written. */
  readonly text: string;
  /** Those it is for, if not for all. */
  readonly methods: ReadonlySet<string> | undefined;
  /** The paths it is for, if not for all. */
  readonly pattern: PathPattern | undefined;
  /** What holds there; none for a route that is exempt. */
  readonly limits: readonly CompiledLimits<Info>[];
}

/** Limits of a rule. */
export interface CompiledLimits<Info> extends RouteLimits<string, Info> {
  /** The limits, as a list. */
  readonly names: readonly string[];
}

/** A rule that holds for a request. */
export interface FoundRoute<Info> {
  /** The rule. */
  readonly route: CompiledRoute<Info>;
  /**
   * Whether it holds for the spelling that was sent, in all readings of it; else only for one that a router may accept
   * as well.
   */
  readonly exact: boolean;
}

/** Which spellings are the same. */
export interface SpellingOptions {
  /** Whether `/Login` is another path than `/login`. */
  readonly caseSensitive: boolean;
  /** Whether `/login/` is another path than `/login`. */
  readonly strict: boolean;
}

/** What a request is for. */
export interface SentTarget {
  /** The path as it was sent, and as a framework reads it. */
  readonly paths: readonly string[];
  /** The query with its `?`, or nothing. */
  readonly query: string;
}

/** What is known of limits. */
export interface KnownLimits {
  /** Whether there is one of this name. */
  has(name: string): boolean;
  /** The most that one call can take of it. */
  maxCost(name: string): number;
}

/** What says that a request is one of another method, for middleware that follows it. */
const OVERRIDES = ["x-http-method-override", "x-http-method", "x-method-override"];
/** What may begin the name `_method` in a query, however it is escaped. */
const MAYBE_METHOD = /(?:_|%5f)(?:m|%6d)/i;

/**
 * Checks rules and makes them ready, in the order in which they are tried.
 *
 * @throws {TypeError | RangeError} If one makes no sense, or names a limit that there is not.
 */
export function compileRoutes<Info>(
  rules: Rules<string, Info>,
  known: KnownLimits,
  knowsUsers: boolean,
  methods: readonly string[] = [],
): CompiledRoute<Info>[] {
  if (typeof rules !== "object" || rules === null || Array.isArray(rules) || Object.keys(rules).length === 0) {
    throw new TypeError(`Cannot guard: wanted rules such as { "POST /login": "AUTH" }, got ${describe(rules)}`);
  }
  if (Object.keys(rules).some((text) => text.includes("/"))) assertUrlPattern("guard");
  const routes = Object.entries(rules).map(([text, route]) => compile(text, route, known, knowsUsers, methods));
  // What fits everything would hide what comes after it.
  const breadth = ({ pattern, methods }: CompiledRoute<Info>) => pattern ? 0 : methods ? 1 : 2;
  return routes.sort((a, b) => breadth(a) - breadth(b));
}

/**
 * Finds the rules that hold for a request: the first that fits what was sent, however that is read, and those in front
 * of it that fit one of its readings or another spelling of one. Each of them counts, so that no spelling is a way
 * around a limit, or into a wider one.
 *
 * @param routes The rules, in their order.
 * @param request The request.
 * @param target What it is for.
 * @param options Which spellings are the same.
 */
export function findRoutes<Info>(
  routes: readonly CompiledRoute<Info>[],
  request: Request,
  { paths, query }: SentTarget,
  { caseSensitive, strict }: SpellingOptions,
): FoundRoute<Info>[] {
  const readings = paths.length === 1 ? readingsOf(paths[0]!) : [...new Set(paths.flatMap(readingsOf))];
  const methods = methodsSent(request, query);
  let spellings: readonly string[] | undefined;
  const found: FoundRoute<Info>[] = [];
  for (const route of routes) {
    const { pattern } = route;
    const fit = fitMethods(route.methods, methods);
    if (fit === "none") continue;
    if (fit === "all" && (!pattern || readings.every((path) => pattern.matches(path)))) {
      found.push({ route, exact: true });
      return found;
    }
    spellings ??= strict ? readings : readings.flatMap(withAndWithoutSlash);
    const fits = (path: string) => caseSensitive ? pattern!.matches(path) : pattern!.matchesAnyCase(path);
    if (
      !pattern || spellings.some(fits) || (!strict && readings.some(fits)) ||
      readings.some((path) => pattern.matchesEmpty(path, caseSensitive))
    ) {
      found.push({ route, exact: false });
    }
  }
  return found;
}

/** The method that was sent, and those that routers and what is in front of them may make of it. */
function methodsSent({ method, headers }: Request, query: string): ReadonlySet<string> {
  const methods = new Set([method, method.toUpperCase()]);
  const add = (other: string) => methods.add(other.trim().toUpperCase());
  for (const name of OVERRIDES) headers.get(name)?.split(",").forEach(add);
  if (MAYBE_METHOD.test(query)) new URLSearchParams(query).getAll("_method").forEach(add);
  return methods;
}

function fitMethods(wanted: ReadonlySet<string> | undefined, sent: ReadonlySet<string>): "all" | "some" | "none" {
  if (!wanted) return "all";
  let count = 0;
  for (const method of sent) if (wanted.has(method)) count++;
  return count === sent.size ? "all" : count > 0 ? "some" : "none";
}

function compile<Info>(
  text: string,
  route: Route<string, Info>,
  known: KnownLimits,
  knowsUsers: boolean,
  own: readonly string[],
): CompiledRoute<Info> {
  const cannot = `Cannot guard ${describe(text)}: wanted`;
  const match = /^(?:([A-Za-z-]+(?:\|[A-Za-z-]+)*) +)?(\/.*|\*)$/.exec(text);
  if (!match) throw new TypeError(`${cannot} a path, as in "POST /login", "/static/*" or "*"`);
  const [, methods, path] = match;
  // A question mark after a name or a group says that it may be left out.
  if (/#|\?/.test(path!.replace(/(:\w+|[)}])\?(?=\/|$)/g, "$1"))) {
    throw new TypeError(`${cannot} a path without "?" and "#", since a query is no part of it`);
  }
  const all = (Array.isArray(route) ? route : [route]) as readonly (string | RouteLimits<string, Info>)[];
  const limits = all.map((one) => compileLimits(text, one, known, knowsUsers));
  if (path !== "*") assertBounded(path!, cannot);
  try {
    return {
      text,
      methods: methods === undefined ? undefined : methodsOf(methods, own, cannot),
      pattern: path === "*" ? undefined : compilePath(path!),
      limits,
    };
  } catch (cause) {
    if ((cause as Error).message.startsWith(cannot)) throw cause;
    throw new TypeError(`${cannot} a path that URLPattern knows`, { cause });
  }
}

function compileLimits<Info>(
  text: string,
  one: string | RouteLimits<string, Info>,
  known: KnownLimits,
  knowsUsers: boolean,
): CompiledLimits<Info> {
  const cannot = `Cannot guard ${describe(text)}: wanted`;
  const given: RouteLimits<string, Info> = typeof one === "string" ? { limits: one } : one;
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`${cannot} the name of a limit or { limits }, got ${describe(given)}`);
  }
  assertOptions(given, ROUTE, `guard ${describe(text)}`);
  const names = typeof given.limits === "string" ? [given.limits] : given.limits;
  if (!Array.isArray(names) || names.length === 0) throw new TypeError(`${cannot} "limits" to be names`);
  for (const name of names) {
    if (!known.has(name)) throw new TypeError(`${cannot} limits that there are, got ${describe(name)}`);
  }
  const { by = "ip", cost, skip, shadow } = given;
  const isKnown = typeof by === "function" || by === "ip" || by === "user" || /^header:[\w!#$%&'*+.^`|~-]+$/.test(by);
  if (!isKnown) throw new TypeError(`${cannot} "by" to be "ip", "user", "header:…" or a function, got ${describe(by)}`);
  if (by === "user" && !knowsUsers) throw new TypeError(`${cannot} a function as the option "user" to limit by user`);
  if (skip !== undefined && typeof skip !== "function") {
    throw new TypeError(`${cannot} "skip" to be a function, got ${describe(skip)}`);
  }
  if (shadow !== undefined && typeof shadow !== "boolean") {
    throw new TypeError(`${cannot} "shadow" to be a boolean, got ${describe(shadow)}`);
  }
  if (cost !== undefined && typeof cost !== "function") {
    const most = Math.min(...names.map((name) => known.maxCost(name)));
    if (typeof cost !== "number") {
      throw new TypeError(`${cannot} "cost" to be a number or a function, got ${describe(cost)}`);
    }
    if (!Number.isInteger(cost) || cost < 0 || cost > most) {
      throw new RangeError(`${cannot} "cost" to be a whole number from 0 to ${most}, got ${describe(cost)}`);
    }
  }
  return { ...given, names };
}
