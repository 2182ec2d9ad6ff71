import type { CacheContext } from "./cache_context.ts";
import type { LoadRunner } from "./load_runner.ts";

/** What a miss works on. */
export interface MissHost extends CacheContext {
  readonly loading: LoadRunner;
}
