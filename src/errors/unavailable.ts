import { lackedCommand } from "./lacked_command.ts";
import { RedisError } from "./redis_error.ts";

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
  /** What was said last, in words, where that tells more than the reason. */
  last?: string | undefined;
  /** The host and port of the server, where the message is to name it. */
  address?: string | undefined;
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
 * The store behind an operation did not answer, or cannot do it: it is slow, gone, full, read-only, full of waiting
 * commands, or closed.
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
   * @param options Carries the `cause`: where `reason` is `"refused"`, the reply; what closed it; the address.
   */
  constructor(operation: string, reason: UnavailableReason, options?: UnavailableOptions) {
    const reply = reason === "refused" && options?.cause instanceof RedisError ? options.cause : undefined;
    const last = options?.last === undefined ? "" : `; what was said last: ${options.last}`;
    super(`Cannot ${operation}: ${textOf(reason, reply, options)}${last}`, options);
    this.operation = operation;
    this.reason = reason;
    this.code = reply?.code;
  }
}

function textOf(
  reason: UnavailableReason,
  reply: RedisError | undefined,
  { closedBy, address }: UnavailableOptions = {},
): string {
  if (reason === "closed") return closedBy ? `${REASONS.closed} ${CLOSED[closedBy]}` : REASONS.closed;
  return `Redis${address === undefined ? "" : ` at ${address}`} is unavailable: ${
    reply ? refusalText(reply) : REASONS[reason]
  }`;
}

function refusalText({ code, message }: RedisError): string {
  const lacked = code === "NOPERM" ? lackedCommand(message) : undefined;
  const text = lacked ? `its user may not run ${lacked}` : REFUSALS[code];
  return text ? `${text} (${code})` : `it refused (${message})`;
}
