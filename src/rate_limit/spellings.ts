/** Most paths: nothing in them can be read in two ways. */
const PLAIN = /^(?:\/[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)*\/?$/;
/** Escapes of what cannot be sent otherwise, as everybody writes them: they are the character. */
const NEEDED = /(?:%[89A-F][\dA-F]|%(?:20|22|3C|3E|5E|60|7B|7C|7D))+/g;
const ESCAPES = /(?:%[\da-f]{2})+/gi;
const TAIL = "%[89AB][\\dA-F]";
/** Escapes that are UTF-8 (RFC 3629): to ask first is a hundred times faster than to catch an error. */
const UTF8 = new RegExp(
  `^(?:%[0-7][\\dA-F]|%(?:C[2-9A-F]|D[\\dA-F])${TAIL}|%E0%[AB][\\dA-F]${TAIL}|%E[1-9A-CEF](?:${TAIL}){2}|` +
    `%ED%[89][\\dA-F]${TAIL}|%F0%[9AB][\\dA-F](?:${TAIL}){2}|%F[1-3](?:${TAIL}){3}|%F4%8[\\dA-F](?:${TAIL}){2})+$`,
  "i",
);

/**
 * The ways in which routers, servers and handlers may read a path: as it was sent, as `URL` reads it, decoded (once)
 * with and without what is reserved, without matrix parameters, without dot segments and double slashes. Case and
 * slashes at the end are not among them.
 *
 * @param path The path as it was sent.
 * @returns The ways, each once; the first is the path as it was sent.
 */
export function readingsOf(path: string): readonly string[] {
  if (PLAIN.test(path)) return [path];
  const sent = withoutNeeded(path);
  const starts = new Set([sent]);
  const url = URL.parse(`http://h${path}`);
  if (url) starts.add(withoutNeeded(url.pathname));
  // A path that begins with two slashes has a host for those who resolve it: `new URL(request.url, base)` of a server
  // of Node.
  if (/^[/\\]{2}/.test(path)) starts.add(withoutNeeded(URL.parse(path, "http://h")?.pathname ?? path));
  const readings = new Set<string>();
  for (const start of starts) {
    for (const text of new Set([start, decoded(start), decode(start, decodeURIComponent)])) {
      readings.add(text).add(resolve(text));
      if (!text.includes(";")) continue;
      readings.add(resolve(text.slice(0, text.indexOf(";"))));
      readings.add(resolve(text.replace(/;[^/\\]*/g, "")));
    }
  }
  readings.delete("");
  return [...readings];
}

/** The same path without slashes at its end, and with one: `/api/*` holds for `/api` in some routers. */
export function withAndWithoutSlash(path: string): readonly string[] {
  let end = path.length;
  while (end > 1 && path.charCodeAt(end - 1) === 0x2f) end--;
  const bare = path.slice(0, end);
  return bare === "/" ? [bare] : [bare, `${bare}/`];
}

/** The text of a path without escapes of what can be sent in no other way. */
export function withoutNeeded(path: string): string {
  return path.includes("%") ? path.replace(NEEDED, (run) => tryDecode(run, decodeURIComponent) ?? run) : path;
}

/** The text of a path without all escapes but those of what is reserved. */
export function decoded(path: string): string {
  return decode(path, decodeURI);
}

function decode(path: string, decoder: (text: string) => string): string {
  if (!path.includes("%")) return path;
  return path.replace(ESCAPES, (run) =>
    tryDecode(run, decoder) ??
      // Beside what is no UTF-8, letters are read all the same.
      run.replace(/%[0-7][\da-f]/gi, (escape) => tryDecode(escape, decoder)!));
}

function tryDecode(text: string, decoder: (text: string) => string): string | undefined {
  return UTF8.test(text) ? decoder(text) : undefined;
}

/** Without dot segments and empty ones. */
function resolve(path: string): string {
  const segments: string[] = [];
  const parts = path.split(/[/\\]/);
  for (const part of parts) {
    if (part === "..") segments.pop();
    else if (part !== "." && part !== "") segments.push(part);
  }
  const last = parts.at(-1)!;
  const open = segments.length > 0 && (last === "" || last === "." || last === "..");
  return `/${segments.join("/")}${open ? "/" : ""}`;
}
