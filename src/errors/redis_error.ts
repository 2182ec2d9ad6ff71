/** What a server adds to "unknown command". */
const ARGUMENTS = /,? with args beginning with:.*$/s;

/** What a terminal would take for more than text. */
const CONTROLS = /[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu;

/** The code of an error reply. Where a command within a script is not permitted, the servers say no more than `ERR`. */
function codeOf(reply: string): string {
  const code = /^[A-Z][A-Z0-9_]*/.exec(reply)?.[0] ?? "ERR";
  return code === "ERR" && /\bACL failure in script\b|^ERR The user executing the script can't/.test(reply)
    ? "NOPERM"
    : code;
}

/**
 * Redis answered a command with an error reply.
 *
 * @example Branch on the code
 * ```ts
 * import { RedisError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new RedisError("WRONGTYPE Operation against a key holding the wrong kind of value");
 * assert.equal(error.code, "WRONGTYPE");
 * ```
 */
export class RedisError extends Error {
  /** The error name. */
  override readonly name: string = "RedisError";
  /** The first word of the reply, as in `"NOPERM"`, `"OOM"`, `"WRONGTYPE"`; also where it was said within a script. */
  readonly code: string;

  /**
   * Creates the error.
   *
   * @param reply The text of the error reply, without the leading `-`. The arguments of a command that the server does
   * not know are left out: they may be a password. Control characters are spaces.
   * @param options Carries the `cause`.
   */
  constructor(reply: string, options?: ErrorOptions) {
    const code = codeOf(reply);
    super(reply.replace(ARGUMENTS, "").replace(/^ERR(?= )/, code).replace(CONTROLS, " "), options);
    this.code = code;
  }
}
