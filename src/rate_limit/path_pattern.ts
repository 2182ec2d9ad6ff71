import { decoded, withoutNeeded } from "./spellings.ts";

/** A path of a rule, ready to be compared. */
export interface PathPattern {
  /** Whether a path, in one of its readings, is it. */
  matches(path: string): boolean;
  /** The same without regard to case. */
  matchesAnyCase(path: string): boolean;
  /** Whether it is one where names may be empty: in Fastify `/users/` is `/users/:id`. */
  matchesEmpty(path: string, caseSensitive: boolean): boolean;
}

/** What makes a pattern more than names, `*` and text: a `*` behind a name says that there may be several, or none. */
const SYNTAX = /[\\(){}+?]|:[\p{ID_Start}_$][\p{ID_Continue}$\u200c\u200d]*\*/u;
const TOKENS = /\*|:[\p{ID_Start}_$][\p{ID_Continue}$\u200c\u200d]*|[^*:]+|:/gu;

/**
 * Compiles a path as `URLPattern` knows it. Patterns of names, `*` and text become regular expressions, which are
 * compared about a hundred times faster; to all others `URLPattern` itself is asked.
 *
 * @throws {TypeError} If `URLPattern` does not know it.
 */
export function compilePath(text: string): PathPattern {
  const exact = new URLPattern({ pathname: text });
  if (SYNTAX.test(text)) {
    const loose = new URLPattern({ pathname: loweredPattern(text) }, { ignoreCase: true });
    const fits = (pattern: URLPattern, pathname: string) => pathname.length <= LONGEST && pattern.test({ pathname });
    return {
      matches: (path) => fits(exact, path),
      // Of a longer path nobody says in time that it is not one: it counts, and ends no search.
      matchesAnyCase: (path) => path.length > LONGEST || fits(loose, loweredPath(path)),
      matchesEmpty: (path) => path.length > LONGEST,
    };
  }
  const sent = withoutNeeded(exact.pathname);
  const tokens = sent.match(TOKENS) ?? [];
  const all = [...new Map([tokens, tokens.map(decoded)].map((one) => [one.join(""), one])).values()];
  const comparer = isSimple(sent) ? expression : stepwise;
  const sensitive = comparer(all, "su");
  const insensitive = comparer(all, "isu");
  if (!tokens.some(isName)) return { matches: sensitive, matchesAnyCase: insensitive, matchesEmpty: () => false };
  const [empty, emptyAnyCase] = [comparer(all, "su", true), comparer(all, "isu", true)];
  const matchesEmpty = (path: string, caseSensitive: boolean) => (caseSensitive ? empty : emptyAnyCase)(path);
  return { matches: sensitive, matchesAnyCase: insensitive, matchesEmpty };
}

/**
 * The longest path that is compared with a pattern that needs `URLPattern`, in characters: it tries many ways to divide
 * one.
 */
const LONGEST = 512;
/**
 * Most parts of such a pattern that may be as long as they like: with each, the ways are as many times more as a path
 * is long.
 */
const MOST = 2;

/**
 * Refuses a pattern that a path could keep busy for long.
 *
 * @throws {TypeError} If it is one.
 */
export function assertBounded(text: string, cannot: string): void {
  if (!SYNTAX.test(text)) return;
  if (/\((?:[^()\\]|\\.)*\(|\([^()]*\\[1-9k]/.test(text)) {
    throw new TypeError(`${cannot} a path without a group in a group, for which a path could take for ever`);
  }
  const open = text.match(/(?:[^\\(]|^)[*+]|\{\d*,\}/g)?.length ?? 0;
  if (open <= MOST) return;
  throw new TypeError(`${cannot} a path with at most ${MOST} of "*", "+" and "{n,}" where it has groups, got ${open}`);
}

/** Whether each part of a path can be in one place only: at most one `*`, and names between slashes. */
function isSimple(pattern: string): boolean {
  return (pattern.match(/\*/g)?.length ?? 0) <= 1 &&
    !/[^/]:[\p{ID_Start}_$]|:[\p{ID_Continue}$\u200c\u200d]+[^/\p{ID_Continue}$\u200c\u200d]/u.test(pattern);
}

/** Patterns, of which one has to fit, as a regular expression. */
function expression(
  patterns: readonly (readonly string[])[],
  flags: string,
  empty: boolean = false,
): (path: string) => boolean {
  const name = empty ? "[^/]*" : "[^/]+";
  const source = patterns.map((tokens) =>
    tokens.map((token) => token === "*" ? ".*" : isName(token) ? name : escaped(token)).join("")
  ).join("|");
  const regexp = new RegExp(`^(?:${source})$`, flags);
  return (path) => regexp.test(path);
}

/**
 * The same token by token, in a time that grows with the length of the path: a regular expression with several `*`
 * tries all ways to divide the path among them, which for one of 8 KiB takes minutes.
 */
function stepwise(
  patterns: readonly (readonly string[])[],
  flags: string,
  empty: boolean = false,
): (path: string) => boolean {
  const all = patterns.map((tokens) =>
    tokens.map((token) => token === "*" || isName(token) ? token : new RegExp(escaped(token), `${flags}y`))
  );
  return (path) => all.some((steps) => fits(path, steps, empty));
}

function fits(path: string, steps: readonly (string | RegExp)[], empty: boolean): boolean {
  let reached = new Uint8Array(path.length + 1); // where what was compared so far may end
  reached[0] = 1;
  for (const step of steps) {
    const next = new Uint8Array(path.length + 1);
    let open = false; // whether the step may have begun and go on
    for (let at = 0; at <= path.length; at++) {
      if (step === "*") {
        open ||= reached[at] === 1;
      } else if (typeof step === "string") {
        open = at > 0 && path[at - 1] !== "/" && (open || reached[at - 1] === 1);
        if (empty && reached[at] === 1) next[at] = 1;
      } else if (reached[at] === 1) {
        step.lastIndex = at;
        if (step.test(path)) next[step.lastIndex] = 1;
      }
      if (open) next[at] = 1;
    }
    reached = next;
  }
  return reached[path.length] === 1;
}

/** Whether `URLPattern` can do without regard to case: that of Deno 2.1 takes the option, and does not. */
let ignoresCase: boolean | undefined;

function patternIgnoresCase(): boolean {
  return ignoresCase ??= new URLPattern({ pathname: "/a" }, { ignoreCase: true }).test({ pathname: "/A" });
}

/** A path for a pattern that has no regard to case. */
function loweredPath(path: string): string {
  return patternIgnoresCase() ? lowered(path) : loweredAscii(lowered(path));
}

/** The text of a pattern that has no regard to case: what stands in parentheses is a regular expression. */
function loweredPattern(text: string): string {
  if (patternIgnoresCase()) return lowered(text);
  return lowered(text).split(/(\([^()]*\))/).map((part, i) => i % 2 === 1 ? part : loweredAscii(part)).join("");
}

/** Escapes stay as they are, since theirs are capital letters. */
function loweredAscii(text: string): string {
  return text.replace(/%[\da-f]{2}|[A-Z]/gi, (part) => part.length === 1 ? part.toLowerCase() : part.toUpperCase());
}

/** Letters beyond ASCII in lower case: `URLPattern` compares their escapes, and of those each case has its own. */
function lowered(text: string): string {
  return text.replace(/[^\0-\x7f]+/g, (letters) => letters.toLowerCase());
}

function isName(token: string): boolean {
  return token.length > 1 && token.startsWith(":");
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
