import { decoded, withoutNeeded } from "./spellings.ts";

/** A path of a rule, ready to be compared. */
export interface PathPattern {
  /** Whether a path, in one of its readings, is it. */
  matches(path: string): boolean;
  /** The same without regard to case. */
  matchesAnyCase(path: string): boolean;
}

/** What makes a pattern more than names, `*` and text. */
const SYNTAX = /[\\(){}+?]/;
const TOKENS = /\*|:[\p{ID_Start}_$][\p{ID_Continue}$\u200c\u200d]*|[^*:]+|:/gu;

/**
 * Compiles a path as `URLPattern` knows it. Patterns of names, `*` and text become regular expressions, which are compared about a
 * hundred times faster; to all others `URLPattern` itself is asked.
 *
 * @throws {TypeError} If `URLPattern` does not know it.
 */
export function compilePath(text: string): PathPattern {
  const exact = new URLPattern({ pathname: text });
  if (SYNTAX.test(text)) {
    const loose = new URLPattern({ pathname: text }, { ignoreCase: true });
    return {
      matches: (pathname) => exact.test({ pathname }),
      matchesAnyCase: (pathname) => loose.test({ pathname }),
    };
  }
  const sent = withoutNeeded(exact.pathname);
  const source = [...new Set([sourceOf(sent, (text) => text), sourceOf(sent, decoded)])].join("|");
  const sensitive = new RegExp(`^(?:${source})$`, "su");
  const insensitive = new RegExp(`^(?:${source})$`, "isu");
  return { matches: (path) => sensitive.test(path), matchesAnyCase: (path) => insensitive.test(path) };
}

/** The regular expression of a pattern, whose text may be read in another way. */
function sourceOf(pattern: string, read: (text: string) => string): string {
  return pattern.replace(TOKENS, (token) => {
    if (token === "*") return ".*";
    return /^:./u.test(token) ? "[^/]+" : read(token).replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  });
}
