import { describe } from "../util/describe.ts";
import { nearName } from "../util/nearest_name.ts";

/** Methods of the HTTP Method Registry (RFC 9110, section 16.1), and those that servers know beside them. */
const KNOWN: ReadonlySet<string> = new Set(
  ("GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT TRACE QUERY ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY " +
    "LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND " +
    "PROPPATCH REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL PURGE " +
    "BAN M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE SOURCE")
    .split(" "),
);

/**
 * Checks methods of one's own.
 *
 * @throws {TypeError} If they are none.
 */
export function assertMethods(methods: unknown): asserts methods is readonly string[] {
  if (Array.isArray(methods) && methods.every((name) => typeof name === "string" && /^[A-Za-z-]{1,64}$/.test(name))) {
    return;
  }
  throw new TypeError(
    `Cannot guard: wanted an array of names such as ["REFRESH"] as "methods", got ${describe(methods)}`,
  );
}

/**
 * The methods of a rule, as in `"GET|PUT"`. Who answers GET answers HEAD with the same work.
 *
 * @param text What the rule says.
 * @param own Methods that are no others' than the app's.
 * @param cannot What begins the message.
 * @throws {TypeError} If there is no such method: a rule that is misspelt would limit nothing.
 */
export function methodsOf(text: string, own: readonly string[], cannot: string): Set<string> {
  const methods = new Set(text.toUpperCase().split("|"));
  for (const method of methods) {
    if (KNOWN.has(method) || own.some((name) => name.toUpperCase() === method)) continue;
    const near = nearName(method, [...KNOWN]);
    const meant = near === undefined ? "" : `, such as ${describe(near)}`;
    throw new TypeError(
      `${cannot} a method that there is${meant}, or one of the option "methods", got ${describe(method)}`,
    );
  }
  if (methods.has("GET")) methods.add("HEAD");
  return methods;
}
