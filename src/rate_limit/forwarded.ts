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
 * The hops of `Forwarded` (RFC 7239), from the client on; `undefined` stands for elements without `for`, or with one that is no
 * address, such as `unknown` and `_hidden`.
 */
export function forwardedHops(value: string): (string | undefined)[] {
  const hops: (string | undefined)[] = [];
  let said: string[] = []; // what an element says with `for`
  const pair = (start: number, end: number) => {
    const text = trimmed(value, start, end);
    const match = /^for[ \t]*=/i.exec(text);
    if (match && said.length < 2) said.push(trimmed(text, match[0].length, text.length));
  };
  const element = () => {
    hops.push(said.length === 1 ? unquoted(said[0]!) : undefined);
    if (hops.length > 2 * MOST) hops.splice(0, MOST);
    said = [];
  };
  let start = 0;
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    const char = value[i];
    if (quoted && char === "\\") i++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && (char === "," || char === ";")) {
      pair(start, i);
      if (char === ",") element();
      start = i + 1;
    }
  }
  pair(start, value.length);
  element();
  return hops.slice(-MOST);
}

function unquoted(text: string): string | undefined {
  if (text.length > 2 * LONGEST) return undefined;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(text);
  if (quoted) return withoutPort(quoted[1]!.replace(/\\(.)/g, "$1"));
  return text.includes('"') ? undefined : withoutPort(text);
}

/** The address without brackets and port. */
function withoutPort(text: string): string | undefined {
  if (text === "" || text.length > LONGEST) return undefined;
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text);
  if (bracketed) return bracketed[1]!.includes(":") ? bracketed[1] : undefined;
  return /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
}

/** A part without white space of HTTP around it: space and tab. */
function trimmed(text: string, start: number, end: number): string {
  const isSpace = (at: number) => text[at] === " " || text[at] === "\t";
  while (start < end && isSpace(start)) start++;
  while (end > start && isSpace(end - 1)) end--;
  return text.slice(start, end);
}
