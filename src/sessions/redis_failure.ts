import { RedisError, UnavailableError } from "../errors.ts";

/** Error replies of a server that cannot do it at present: it is loading, full, a replica, without a majority. */
const PASSING = /^(LOADING|OOM|READONLY|MASTERDOWN|NOREPLICAS|MISCONF|CLUSTERDOWN|TRYAGAIN|BUSY)$/;

/** The error for whoever asked: an `UnavailableError` that says what was attempted, unless the failure is no outage. */
export function unavailable(error: unknown, operation: string): unknown {
  if (error instanceof UnavailableError && error.operation !== operation) {
    return new UnavailableError(operation, error.reason, { cause: error.cause });
  }
  if (error instanceof RedisError && PASSING.test(error.code)) {
    return new UnavailableError(operation, "connection", { cause: error });
  }
  return error;
}
