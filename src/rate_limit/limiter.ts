import type { ConnectionInfo } from "./address.ts";
import type { LimitEntry, PeekOptions } from "./options.ts";
import type { RateLimitResult } from "./result.ts";

/** What a gate needs of the limits; `RateLimiter` has it. */
export interface Limiter {
  /** Whether there is a limit of this name. */
  has(name: string): boolean;
  /** The most that one call can take of a limit; 0 where there is none of this name. */
  maxCost(name: string): number;
  /** By what clients are told apart: their address. */
  address(request: Request, info?: ConnectionInfo): string;
  /** How a limit stands. */
  peek(name: string, id: string, options?: PeekOptions): Promise<RateLimitResult>;
  /** Counts a call for several limits, or for none. */
  checkAll(entries: readonly LimitEntry[]): Promise<RateLimitResult>;
}
