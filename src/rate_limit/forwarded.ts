/** More hops than this are no chain of proxies; the rightmost, which are the nearest, count. */
const MOST = 64;

/**
 * The hops of `X-Forwarded-For`, from the client on; `undefined` stands for what is no address, as an empty one is.
 */
export function listedHops(value: string): (string | undefined)[] {
  return value.split(",").slice(-MOST).map((text) => withoutPort(text.trim()));
}

/**
 * The hops of `Forwarded` (RFC 7239), from the client on; `undefined` stands for elements without `for`, or with one that is no
 * address, such as `unknown` and `_hidden`.
 */
export function forwardedHops(value: string): (string | undefined)[] {
  return split(value, ",").slice(-MOST).map((element) => {
    const named = split(element, ";").map((pair) => /^\s*for\s*=\s*(.*?)\s*$/i.exec(pair)).filter((match) =>
      match !== null
    );
    if (named.length !== 1) return undefined;
    const text = named[0]![1]!;
    const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(text);
    if (quoted) return withoutPort(quoted[1]!.replace(/\\(.)/g, "$1"));
    return text.includes('"') ? undefined : withoutPort(text);
  });
}

/** The address without brackets and port. */
function withoutPort(text: string): string | undefined {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text);
  if (bracketed) return bracketed[1]!.includes(":") ? bracketed[1] : undefined;
  return /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? (text === "" ? undefined : text);
}

/** Splits outside of quoted strings. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted && char === "\\") i++;
    else if (char === '"') quoted = !quoted;
    else if (char === separator && !quoted) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}
