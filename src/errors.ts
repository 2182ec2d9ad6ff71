/** Why a store could not answer. */
export type UnavailableReason =
  | "timeout"
  | "connection"
  | "refused"
  | "overload"
  | "circuit-open"
  | "closed";

const REASONS: Record<UnavailableReason, string> = {
  "timeout": "no answer within the deadline",
  "connection": "the connection failed",
  "refused": "it refused",
  "overload": "too many commands are waiting",
  "circuit-open": "recent calls failed and the next attempt is not due yet",
  "closed": "it was closed",
};

/** What closed something: a call of `close()`, or the end of the block of an `await using` declaration. */
export type ClosedBy = "close()" | "await using";

const CLOSED: Record<ClosedBy, string> = {
  "close()": "by close(): call that when the last request is answered, as after server.shutdown()",
  "await using":
    'at the end of its "await using" block, which is the whole module at its top: to keep it open, as for a ' +
    'server, say "const" and call close() when the last request is answered',
};

/** What is known of an outage. */
export interface UnavailableOptions extends ErrorOptions {
  /** What closed it, where the reason is `"closed"`. */
  closedBy?: ClosedBy | undefined;
}

/** What the codes of error replies say of the server, for the messages of errors. */
const REFUSALS: Readonly<Record<string, string>> = {
  OOM: "its memory is full",
  READONLY: "it is a replica, which takes no writes",
  BUSY: "it is busy with a script",
  TRYAGAIN: "the keys are moving to another node of the cluster",
  NOPERM: "its user may not do that",
  NOAUTH: "it wants a login",
  DENIED: "it lets nobody in from here",
  LOADING: "it is loading its data",
  MASTERDOWN: "it is a replica without its primary",
  NOREPLICAS: "it has too few replicas",
  MISCONF: "it cannot write to its disk",
  CLUSTERDOWN: "the cluster is down",
  MOVED: "the keys are on another node of its cluster",
  ASK: "the keys are moving to another node of the cluster",
  CROSSSLOT: "the keys are on several nodes of its cluster",
};

/**
 * The store behind an operation did not answer, or cannot do it: it is slow, gone, full, read-only, full of waiting commands, or closed.
 *
 * The `cause` is what the connection or the server said last, as far as it is known.
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
  /** With which code Redis refused, as in `"OOM"`; only where `reason` is `"refused"`. */
  readonly code: string | undefined;

  /**
   * Creates the error.
   *
   * @param operation What was attempted.
   * @param reason Why there was no answer.
   * @param options Carries the `cause`: where `reason` is `"refused"`, the reply; and what closed it.
   */
  constructor(operation: string, reason: UnavailableReason, options?: UnavailableOptions) {
    const reply = reason === "refused" && options?.cause instanceof RedisError ? options.cause : undefined;
    super(`Cannot ${operation}: ${textOf(reason, reply, options?.closedBy)}`, options);
    this.operation = operation;
    this.reason = reason;
    this.code = reply?.code;
  }
}

function textOf(reason: UnavailableReason, reply: RedisError | undefined, closedBy: ClosedBy | undefined): string {
  if (reason === "closed") return closedBy ? `${REASONS.closed} ${CLOSED[closedBy]}` : REASONS.closed;
  return `Redis is unavailable: ${reply ? refusalText(reply) : REASONS[reason]}`;
}

function refusalText({ code, message }: RedisError): string {
  const text = REFUSALS[code];
  return text ? `${text} (${code})` : `it refused (${message})`;
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
 * Loaders of the cache wait for each other, or one for itself: none of them would ever end.
 *
 * @example Read the chain
 * ```ts
 * import { LoaderCycleError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new LoaderCycleError(["a", "b", "a"]);
 * assert.equal(error.message, 'Cannot load "a": wanted loaders that do not wait for each other, got "a" -> "b" -> "a"');
 * ```
 */
export class LoaderCycleError extends Error {
  /** The error name. */
  override readonly name: string = "LoaderCycleError";
  /** The keys: each waits for the next one, and the last is the first. */
  readonly chain: readonly string[];

  /**
   * Creates the error.
   *
   * @param chain The keys.
   * @param options Carries the `cause`.
   */
  constructor(chain: readonly string[], options?: ErrorOptions) {
    const names = chain.map((key) => JSON.stringify(key));
    const got = names.join(" -> ");
    super(`Cannot load ${names.at(-1)}: wanted loaders that do not wait for each other, got ${got}`, options);
    this.chain = [...chain];
  }
}

/**
 * A session has another version than the one that a change was meant for.
 *
 * @example Read the version
 * ```ts
 * import { SessionConflictError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new SessionConflictError(3);
 * assert.equal(error.message, "Cannot update session: wanted the version that it had, got version 3");
 * ```
 */
export class SessionConflictError extends Error {
  /** The error name. */
  override readonly name: string = "SessionConflictError";
  /** The version that the session has. */
  readonly version: number;

  /**
   * Creates the error.
   *
   * @param version The version that the session has.
   * @param options Carries the `cause`.
   */
  constructor(version: number, options?: ErrorOptions) {
    super(`Cannot update session: wanted the version that it had, got version ${version}`, options);
    this.version = version;
  }
}

/** What a server adds to "unknown command". */
const ARGUMENTS = /,? with args beginning with:.*$/s;

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
   * @param reply The text of the error reply, without the leading `-`. The arguments of a command that the server does not know are left
   * out: they may be a password.
   * @param options Carries the `cause`.
   */
  constructor(reply: string, options?: ErrorOptions) {
    const code = codeOf(reply);
    super(reply.replace(ARGUMENTS, "").replace(/^ERR(?= )/, code), options);
    this.code = code;
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

/**
 * There is no such thing, as in an image that is asked for by a name under which there is none.
 *
 * @example Tell "not there" from "not readable"
 * ```ts
 * import { NotFoundError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new NotFoundError("image", "logo.png");
 * assert.equal(error.message, 'Cannot find image "logo.png"');
 * ```
 */
export class NotFoundError extends Error {
  /** The error name. */
  override readonly name: string = "NotFoundError";
  /** What kind of thing, as in "image". */
  readonly kind: string;
  /** By what it was asked for. */
  readonly what: string;

  /**
   * Creates the error.
   *
   * @param kind What kind of thing.
   * @param what By what it was asked for.
   * @param options Carries the `cause`.
   */
  constructor(kind: string, what: string, options?: ErrorOptions) {
    super(`Cannot find ${kind} ${JSON.stringify(what)}`, options);
    this.kind = kind;
    this.what = what;
  }
}

/**
 * Why there is no metadata of an image:
 * `empty`: no bytes · `unsupported`: no format that Larder knows · `truncated`: it ends before its dimensions ·
 * `invalid`: its header contradicts its format · `too-large`: more bytes or pixels than the options allow.
 */
export type ImageErrorReason = "empty" | "unsupported" | "truncated" | "invalid" | "too-large";

/**
 * What is there under the name of an image has no metadata that could be trusted.
 *
 * @example Read the reason
 * ```ts
 * import { ImageError } from "@larder/larder";
 * import assert from "node:assert/strict";
 *
 * const error = new ImageError("logo.png", "truncated", "a PNG header of 33 bytes, got 20");
 * assert.equal(error.reason, "truncated");
 * assert.equal(error.message, 'Cannot read image "logo.png": wanted a PNG header of 33 bytes, got 20');
 * ```
 */
export class ImageError extends Error {
  /** The error name. */
  override readonly name: string = "ImageError";
  /** The name of the image. */
  readonly filename: string;
  /** Why. */
  readonly reason: ImageErrorReason;
  /** What was wanted and what came. */
  readonly detail: string;

  /**
   * Creates the error.
   *
   * @param filename The name of the image.
   * @param reason Why.
   * @param detail What was wanted and what came.
   * @param options Carries the `cause`.
   */
  constructor(filename: string, reason: ImageErrorReason, detail: string, options?: ErrorOptions) {
    super(`Cannot read image ${JSON.stringify(filename)}: wanted ${detail}`, options);
    this.filename = filename;
    this.reason = reason;
    this.detail = detail;
  }
}
