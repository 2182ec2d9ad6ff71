/** More hops than this are no chain of proxies; the rightmost, which are the nearest, count. */
const MOST = 64;
/** No address with its port and brackets is longer. */
const LONGEST = 64;

/**
 * The hops of `X-Forwarded-For`, from the client on; `undefined` stands for what is no address, as an empty one is.
 */
export function listedHops(value: string): (string | undefined)[] {
  const hops: (string | undefined)[] = [];
  // From the right, as far as it counts: a client may have sent any length of it.
  for (let end = value.length; hops.length < MOST;) {
    const comma = end === 0 ? -1 : value.lastIndexOf(",", end - 1);
    hops.push(withoutPort(trimmed(value, comma + 1, end)));
    if (comma === -1) break;
    end = comma;
  }
  return hops.reverse();
}

/**
 * The hops of `Forwarded` (RFC 7239), from the client on; `undefined` stands for elements without `for`, or with one
 * that is no address, such as `unknown` and `_hidden`.
 */
export function forwardedHops(value: string): (string | undefined)[] {
  const hops: (string | undefined)[] = [];
  let said: string[] = []; // what an element says with `for`
  const pair = (start: number, end: number) => {
    const text = trimmed(value, start, end);
    const match = /^for[ \t]*=/i.exec(text);
    if (match && said.length < 2) said.push(trimmed(text, match[0].length, text.length));
  };
  let end = value.length;
  let quoted = false;
  // From the right: a quote that a client has left open must not take in what a proxy added behind it.
  for (let i = value.length - 1; i >= -1 && hops.length < MOST; i--) {
    const char = value[i];
    if (char === '"') quoted = !quoted || isEscaped(value, i);
    else if (i === -1 || (!quoted && (char === "," || char === ";"))) {
      pair(i + 1, end);
      end = i;
      if (char === ";") continue;
      hops.push(said.length === 1 ? unquoted(said[0]!) : undefined);
      said = [];
    }
  }
  return hops.reverse();
}

/** Whether a character stands behind a backslash that is none itself. */
function isEscaped(text: string, at: number): boolean {
  let start = at;
  while (text[start - 1] === "\\") start--;
  return (at - start) % 2 === 1;
}

function unquoted(text: string): string | undefined {
  if (text.length > 2 * LONGEST) return undefined;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(text);
  if (quoted) return withoutPort(quoted[1]!.replace(/\\(.)/g, "$1"));
  return text.includes('"') ? undefined : withoutPort(text);
}

/** The address without brackets and port, which a proxy may hide, as in `:_a1` (RFC 7239, section 6). */
function withoutPort(text: string): string | undefined {
  if (text === "" || text.length > LONGEST) return undefined;
  const bracketed = /^\[([^\]]*)\](?::(?:\d{1,5}|_[\w.-]+))?$/.exec(text);
  if (bracketed) return bracketed[1]!.includes(":") ? bracketed[1] : undefined;
  return /^([\d.]+):(?:\d{1,5}|_[\w.-]+)$/.exec(text)?.[1] ?? text;
}

/** A part without white space of HTTP around it: space and tab. */
function trimmed(text: string, start: number, end: number): string {
  const isSpace = (at: number) => text[at] === " " || text[at] === "\t";
  while (start < end && isSpace(start)) start++;
  while (end > start && isSpace(end - 1)) end--;
  return text.slice(start, end);
}
