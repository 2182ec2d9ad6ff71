/** What tells caches of one kind more than `Cache-Control` does (RFC 9213, and what came before). */
const TARGETED = /(?:^|-)cdn-cache-control$|^surrogate-control$/;
const DIRECTIVE = /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g;

/** Says that a response depends on a header of the request. */
export function addVary(headers: Headers, name: string): void {
  const names = (headers.get("vary") ?? "").toLowerCase().split(",").map((one) => one.trim());
  if (!names.includes("*") && !names.includes(name.toLowerCase())) headers.append("vary", name);
}

/** Says that a response is for one visitor. What else is said of how long it is good stays. */
export function makePrivate(headers: Headers): void {
  dropTargeted(headers);
  const directives = (headers.get("cache-control") ?? "").match(DIRECTIVE)?.map((one) => one.trim()).filter(Boolean);
  const kept = (directives ?? []).filter((one) => !/^(?:public|private|s-maxage)\s*(?:=|$)/i.test(one));
  // Who stores nothing gives nothing to others.
  if (!kept.some((one) => /^no-store$/i.test(one))) kept.push("private");
  headers.set("cache-control", kept.join(", "));
}

/** Says that a response is kept nowhere. */
export function forbidStorage(headers: Headers): void {
  dropTargeted(headers);
  headers.set("cache-control", "no-store");
}

function dropTargeted(headers: Headers): void {
  for (const name of [...headers.keys()]) if (TARGETED.test(name)) headers.delete(name);
}
