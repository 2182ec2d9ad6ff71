/** Why a store could not answer. */
export type UnavailableReason =
  | "timeout"
  | "connection"
  | "overload"
  | "circuit-open"
  | "closed";

const REASONS: Record<UnavailableReason, string> = {
  "timeout": "no answer within the deadline",
  "connection": "the connection failed",
  "overload": "too many commands are waiting",
  "circuit-open": "recent calls failed and the next attempt is not due yet",
  "closed": "it was closed",
};

/**
 * The store behind an operation did not answer: it is slow, gone, full of waiting commands, or closed.
 *
 * Whether the operation took effect is unknown when `reason` is `"timeout"` or `"connection"`.
 *
 * @example Tell an outage from a bug
 * ```ts
 * import { UnavailableError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new UnavailableError("read session", "timeout");
 * assert.equal(error.message, "Cannot read session: Redis is unavailable: no answer within the deadline");
 * ```
 */
export class UnavailableError extends Error {
  /** The error name. */
  override readonly name: string = "UnavailableError";
  /** What was attempted, as in "read session". */
  readonly operation: string;
  /** Why there was no answer. */
  readonly reason: UnavailableReason;

  /**
   * Creates the error.
   *
   * @param operation What was attempted.
   * @param reason Why there was no answer.
   * @param options Carries the `cause`.
   */
  constructor(operation: string, reason: UnavailableReason, options?: ErrorOptions) {
    super(`Cannot ${operation}: Redis is unavailable: ${REASONS[reason]}`, options);
    this.operation = operation;
    this.reason = reason;
  }
}

/**
 * A loader took longer than its caller's `hardTimeout`. It goes on, and what it gives is stored.
 *
 * @example Read the numbers
 * ```ts
 * import { LoaderTimeoutError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new LoaderTimeoutError("report", 2000);
 * assert.equal(error.message, 'Cannot load "report": wanted a value within 2000 ms, got none');
 * ```
 */
export class LoaderTimeoutError extends Error {
  /** The error name. */
  override readonly name: string = "LoaderTimeoutError";
  /** The key. */
  readonly key: string;
  /** How long was waited. */
  readonly milliseconds: number;

  /**
   * Creates the error.
   *
   * @param key The key.
   * @param milliseconds How long was waited.
   * @param options Carries the `cause`.
   */
  constructor(key: string, milliseconds: number, options?: ErrorOptions) {
    super(`Cannot load ${JSON.stringify(key)}: wanted a value within ${milliseconds} ms, got none`, options);
    this.key = key;
    this.milliseconds = milliseconds;
  }
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
  /** The first word of the reply, as in `"NOPERM"`, `"OOM"`, `"WRONGTYPE"`. */
  readonly code: string;

  /**
   * Creates the error.
   *
   * @param reply The text of the error reply, without the leading `-`.
   * @param options Carries the `cause`.
   */
  constructor(reply: string, options?: ErrorOptions) {
    super(reply, options);
    this.code = /^[A-Z][A-Z0-9_]*/.exec(reply)?.[0] ?? "ERR";
  }
}

/**
 * An option or an environment variable has a value that Larder cannot use. The message names it, says what was wanted
 * and what came; values that may be secret are never shown.
 *
 * @example Read the name
 * ```ts
 * import { ConfigError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new ConfigError("REDIS_PORT", "a port from 1 to 65535", '"abc"');
 * assert.equal(error.message, 'Cannot use REDIS_PORT: wanted a port from 1 to 65535, got "abc"');
 * ```
 */
export class ConfigError extends TypeError {
  /** The error name. */
  override readonly name: string = "ConfigError";
  /** The option path or the environment variable. */
  readonly setting: string;

  /**
   * Creates the error.
   *
   * @param setting The option path or the environment variable.
   * @param wanted What would have been right.
   * @param got What came, already safe to show.
   * @param options Carries the `cause`.
   */
  constructor(setting: string, wanted: string, got: string, options?: ErrorOptions) {
    super(`Cannot use ${setting}: wanted ${wanted}, got ${got}`, options);
    this.setting = setting;
  }
}
