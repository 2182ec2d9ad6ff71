import { describe } from "../util/describe.ts";

/** What can stand behind `Bearer` (RFC 6750 allows less; what others take is not refused). */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * Checks a token that is the option of a handler: one that no request can send would shut everybody out.
 *
 * @param token The option.
 * @param handler Which handler it is of.
 * @throws {TypeError} If it is no such text. Nothing of it is shown.
 */
export function assertToken(token: unknown, handler: string): asserts token is string | undefined {
  if (token === undefined || typeof token === "string" && TOKEN.test(token)) return;
  const got = typeof token !== "string" ? describe(token) : token === "" ? "an empty string" : foundIn(token);
  throw new TypeError(`Cannot make the ${handler}: wanted as "token" ASCII text without spaces, got ${got}`);
}

function foundIn(token: string): string {
  return /\s$/.test(token) ? "one with white space at its end, as files have" : "one that cannot be sent as it is";
}

/** The token that a request brings as `Authorization: Bearer …`, if there is one. */
export function bearerOf({ headers }: Request): string | undefined {
  return /^bearer (\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}
