import type { EventListener, LarderEvent } from "../observe/events.ts";
import type { SessionStore } from "./store.ts";

/** What was done with sessions in this process since its start. */
export interface SessionStats {
  /** Begun. */
  created: number;
  /** Ended one by one. */
  destroyed: number;
  /** Ended with all others of a user or a tag. */
  revoked: number;
  /** Ended because the user had too many. */
  evicted: number;
  /** Given another id. */
  regenerated: number;
  /** Reads with the id of a session that is not there. */
  unknown: number;
  /** Reads that were answered without the store, which did not answer. */
  errors: number;
}

/** Views of the same sessions with other types share their figures. */
const counters = new WeakMap<SessionStore, SessionStats>();

/** The figures of a store. */
export function statsOf(store: SessionStore): SessionStats {
  const known = counters.get(store);
  if (known) return known;
  const stats = { created: 0, destroyed: 0, revoked: 0, evicted: 0, regenerated: 0, unknown: 0, errors: 0 };
  counters.set(store, stats);
  return stats;
}

/** A listener that counts before it passes on. */
export function counting(store: SessionStore, on: EventListener | undefined): EventListener {
  const stats = statsOf(store);
  return (event) => {
    count(stats, event);
    on?.(event);
  };
}

function count(stats: SessionStats, event: LarderEvent): void {
  switch (event.type) {
    case "session.create":
      stats.created++;
      break;
    case "session.destroy":
      stats.destroyed++;
      break;
    case "session.revoke":
      stats.revoked += event.count;
      break;
    case "session.evict":
      stats.evicted += event.count;
      break;
    case "session.regenerate":
      stats.regenerated++;
      break;
    case "session.unknown":
      stats.unknown++;
      break;
    case "session.error":
      stats.errors++;
  }
}
