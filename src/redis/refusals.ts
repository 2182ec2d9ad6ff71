import { RedisError, UnavailableError } from "../errors.ts";

/**
 * Codes with which a server says that it cannot do it at present: it is loading, full, a replica, without a majority.
 */
const PASSING: ReadonlySet<string> = new Set([
  "LOADING",
  "OOM",
  "READONLY",
  "MASTERDOWN",
  "NOREPLICAS",
  "MISCONF",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "BUSY",
]);

/** Codes that say that something is configured otherwise than Larder needs it; somebody has to mend that. */
const LASTING: ReadonlySet<string> = new Set(["NOPERM", "NOAUTH", "DENIED", "MOVED", "ASK", "CROSSSLOT"]);

/** Codes of a server that answers nothing at present, or no `PING`; `MISCONF` is that of one that can still be read. */
const NO_PING: ReadonlySet<string> = new Set(["BUSY", "LOADING", "MASTERDOWN", "MISCONF"]);

/** Whether a server whose connection is in step may answer `PING` with it. */
export function isRefusedPing({ code }: RedisError): boolean {
  return NO_PING.has(code);
}

/** Whether a server that answers `PING` with it can be read from: it cannot save, and refuses what is a write. */
export function canStillRead({ code }: RedisError): boolean {
  return code === "MISCONF";
}

/** Whether a failure says nothing about the operation, so that it may succeed later. */
export function isPassing(error: unknown): boolean {
  if (error instanceof UnavailableError) return error.reason !== "closed";
  return error instanceof RedisError && (PASSING.has(error.code) || isMoving(error));
}

/**
 * Whether a script came to an end because what it needs is moving to another node of the cluster: it found a key that
 * it had removed itself to be there already.
 */
function isMoving({ message }: RedisError): boolean {
  return message.includes("non local key");
}

/**
 * Whether a server refuses what is needed of it, because of its state or its configuration, as opposed to a command
 * that is wrong.
 */
export function isRefusal(error: unknown): error is RedisError {
  if (!(error instanceof RedisError)) return false;
  return PASSING.has(error.code) || LASTING.has(error.code) || isMoving(error) ||
    /^ERR (unknown (redis )?command|max number of clients)/i.test(error.message);
}

/** The error for whoever asked: an `UnavailableError` that says what was attempted, unless the failure is no outage. */
export function unavailable(error: unknown, operation: string): unknown {
  if (error instanceof UnavailableError && error.operation !== operation) {
    return new UnavailableError(operation, error.reason, { cause: error.cause });
  }
  return isRefusal(error) ? new UnavailableError(operation, "refused", { cause: error }) : error;
}
