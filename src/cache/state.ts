import type { StoredEntry } from "./entry.ts";
import type { Verdict } from "./invalidations.ts";
import type { EntryState } from "./store.ts";

/**
 * How an entry stands at a time of the store.
 *
 * @param entry The entry.
 * @param now The store's time in milliseconds.
 * @param verdict What invalidations say about it.
 */
export function stateOf(entry: StoredEntry, now: number, verdict: Verdict): EntryState {
  if (entry.placeholder || verdict === "invalid" || verdict === "unknown" || now >= entry.errorUntil) return "none";
  if (now >= entry.staleUntil) return "expired";
  return now >= entry.freshUntil || verdict === "stale" ? "stale" : "fresh";
}
