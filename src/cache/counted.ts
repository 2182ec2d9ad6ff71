import type { EventListener } from "../observe/events.ts";
import type { StatsCounter } from "./stats.ts";
import type { Found } from "./values.ts";

/** Who counts, and who is told. */
interface Counting {
  readonly stats: StatsCounter;
  readonly on: EventListener | undefined;
}

/** What a read has found, counted and told. */
export function counted<T>({ stats, on }: Counting, key: string, found: Found<T>): Found<T> {
  if (found) {
    stats.hits++;
    on?.({ type: "cache.hit", key, stale: false });
  } else {
    stats.misses++;
    on?.({ type: "cache.miss", key });
  }
  return found;
}
