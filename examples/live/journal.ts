import type { LarderEvent } from "@larder/larder";

/** Something that happened. */
export interface Entry {
  /** When, in milliseconds since 1970. */
  at: number;
  text: string;
  /** Whether it is trouble, or the end of it. */
  mood: "plain" | "bad" | "good";
  /** How often in a row. */
  times: number;
}

const MOST = 30;

/** The last things that happened, in words; reads are too many to be told. */
export class Journal {
  readonly #entries: Entry[] = [];
  #changed = false;

  /** Takes an event. */
  see(event: LarderEvent): void {
    const told = tell(event);
    if (!told) return;
    const [text, mood = "plain"] = told;
    this.#changed = true;
    const last = this.#entries[0];
    if (last?.text === text) {
      last.at = Date.now();
      last.times++;
      return;
    }
    this.#entries.unshift({ at: Date.now(), text, mood, times: 1 });
    this.#entries.length = Math.min(this.#entries.length, MOST);
  }

  /** All entries, the newest first. */
  all(): readonly Entry[] {
    return this.#entries;
  }

  /** All entries, if there is something new since this was last asked. */
  take(): readonly Entry[] | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return this.#entries;
  }
}

function tell(event: LarderEvent): [text: string, mood?: Entry["mood"]] | undefined {
  switch (event.type) {
    case "cache.invalidate": {
      const what = event.by === "clear" ? "everything" : `${event.by} ${event.what.join(", ")}`;
      return event.status === "done" ? [`Invalidated ${what}`] : [`Will invalidate ${what} when Redis is back`, "bad"];
    }
    case "cache.replayed":
      return [`Replayed invalidations: ${event.count}`, "good"];
    case "cache.epoch":
      return ["The records of invalidations are new: all that was cached before is a miss"];
    case "cache.load_error":
      return [`A loader failed: ${messageOf(event.error)}`, "bad"];
    case "cache.error":
      return [`The cache went on without Redis: ${event.operation}`, "bad"];
    case "session.create":
      return [`Session ${short(event.handle)} of ${event.userId || "a visitor"} began`];
    case "session.destroy":
      return [`Session ${short(event.handle)} ended`];
    case "session.evict":
      return [`${event.userId} had too many sessions: ${event.count} ended`];
    case "session.revoke":
      return [`${event.what} was logged out everywhere: ${event.count} sessions ended`];
    case "limit.refused":
      return [`${event.name} refused ${event.id}`, "bad"];
    case "limit.degraded":
      return ["Rate limits: decided by policy from now on", "bad"];
    case "limit.recovered":
      return ["Rate limits: decided by Redis again", "good"];
    case "lock.lost":
      return [`Lock ${event.name} was lost`, "bad"];
    case "redis.connected":
      return ["Redis: connected", "good"];
    case "redis.disconnected":
      return ["Redis: not connected", "bad"];
    case "redis.circuit":
      return event.state === "half-open" ? undefined : [`Redis: the circuit is ${event.state}`, moodOf(event.state)];
    case "image.error":
      return [`${event.filename} cannot be read: ${messageOf(event.error)}`, "bad"];
    case "warning":
      return [event.message, "bad"];
  }
}

function moodOf(state: "open" | "closed"): Entry["mood"] {
  return state === "open" ? "bad" : "good";
}

function short(handle: string): string {
  return `${handle.slice(0, 8)}…`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
