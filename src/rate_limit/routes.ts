import { describe } from "../describe.ts";
import { assertOptions } from "../option_names.ts";
import type { Route, RouteLimits, Rules } from "./guard.ts";
import { ROUTE } from "./option_names.ts";

/** A rule that is ready to be used. */
export interface CompiledRoute<Info> {
  /** As it was written. */
  readonly text: string;
  /** Those it is for, if not for all. */
  readonly methods: ReadonlySet<string> | undefined;
  /** The paths it is for, if not for all. */
  readonly pattern: URLPattern | undefined;
  /** What holds there. */
  readonly limits: readonly CompiledLimits<Info>[];
}

interface CompiledLimits<Info> extends RouteLimits<string, Info> {
  readonly names: readonly string[];
}

/**
 * Checks rules and makes them ready, in the order in which they are tried.
 *
 * @throws {TypeError} If one makes no sense, or names a limit that there is not.
 */
export function compileRoutes<Info>(
  rules: Rules<string, Info>,
  has: (name: string) => boolean,
  knowsUsers: boolean,
): CompiledRoute<Info>[] {
  if (typeof rules !== "object" || rules === null || Object.keys(rules).length === 0) {
    throw new TypeError(`Cannot guard: wanted rules such as { "POST /login": "AUTH" }, got ${describe(rules)}`);
  }
  const routes = Object.entries(rules).map(([text, route]) => compile(text, route, has, knowsUsers));
  // What fits everything would hide what comes after it.
  const breadth = ({ pattern, methods }: CompiledRoute<Info>) => pattern ? 0 : methods ? 1 : 2;
  return routes.sort((a, b) => breadth(a) - breadth(b));
}

/**
 * The path of a URL as a router may read it: what was escaped without need is as if it were not, or `/%6Cogin` would be a way
 * around the limit of `/login`.
 */
export function pathOf(url: string): string {
  const { pathname } = new URL(url);
  if (!pathname.includes("%")) return pathname;
  return pathname.replace(/%[2-7][0-9a-f]/gi, (code) => {
    const char = String.fromCharCode(parseInt(code.slice(1), 16));
    return /[\w.~!'()*-]/.test(char) ? char : code;
  });
}

/** Who answers GET answers HEAD with the same work. */
function methodsOf(text: string): Set<string> {
  const methods = new Set(text.toUpperCase().split("|"));
  if (methods.has("GET")) methods.add("HEAD");
  return methods;
}

function compile<Info>(
  text: string,
  route: Route<string, Info>,
  has: (name: string) => boolean,
  knowsUsers: boolean,
): CompiledRoute<Info> {
  const cannot = `Cannot guard ${describe(text)}: wanted`;
  const match = /^(?:([A-Za-z]+(?:\|[A-Za-z]+)*) +)?(\/.*|\*)$/.exec(text);
  if (!match) throw new TypeError(`${cannot} a path, as in "POST /login", "/static/*" or "*"`);
  const [, methods, path] = match;
  const all = (Array.isArray(route) ? route : [route]) as readonly (string | RouteLimits<string, Info>)[];
  if (all.length === 0) throw new TypeError(`${cannot} at least one limit`);
  const limits = all.map((one): CompiledLimits<Info> => {
    const given: RouteLimits<string, Info> = typeof one === "string" ? { limits: one } : one;
    if (typeof given !== "object" || given === null) {
      throw new TypeError(`${cannot} the name of a limit or { limits }, got ${describe(given)}`);
    }
    assertOptions(given, ROUTE, `guard ${describe(text)}`);
    const names = typeof given.limits === "string" ? [given.limits] : given.limits;
    if (!Array.isArray(names) || names.length === 0) throw new TypeError(`${cannot} "limits" to be names`);
    for (const name of names) {
      if (!has(name)) throw new TypeError(`${cannot} limits that there are, got ${describe(name)}`);
    }
    const { by = "ip" } = given;
    const known = typeof by === "function" || by === "ip" || by === "user" || /^header:[\w!#$%&'*+.^`|~-]+$/.test(by);
    if (!known) throw new TypeError(`${cannot} "by" to be "ip", "user", "header:…" or a function, got ${describe(by)}`);
    if (by === "user" && !knowsUsers) {
      throw new TypeError(`${cannot} a function as the option "user" to limit by user`);
    }
    return { ...given, names };
  });
  try {
    return {
      text,
      methods: methods === undefined ? undefined : methodsOf(methods),
      pattern: path === "*" ? undefined : new URLPattern({ pathname: path! }),
      limits,
    };
  } catch (cause) {
    throw new TypeError(`${cannot} a path that URLPattern knows`, { cause });
  }
}
