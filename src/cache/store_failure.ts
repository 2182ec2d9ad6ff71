import { RedisError, UnavailableError } from "../errors.ts";

/** Whether the store failed, as opposed to its caller. */
export function isStoreFailure(error: unknown): boolean {
  return error instanceof RedisError || (error instanceof UnavailableError && error.reason !== "closed");
}
