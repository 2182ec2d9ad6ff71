/** Something that happened, told to the `on` listener of `connect()`. Switch on `type`. */
export type LarderEvent =
  /** A value was served; `stale` says that it was past its freshness. */
  | { readonly type: "cache.hit"; readonly key: string; readonly stale: boolean }
  /** There was nothing to serve. */
  | { readonly type: "cache.miss"; readonly key: string }
  /** A loader returned; `stored` is false when an invalidation or a newer write came first. */
  | {
    readonly type: "cache.load";
    readonly key: string;
    readonly milliseconds: number;
    readonly stored: boolean;
    readonly background: boolean;
  }
  /** A loader threw; `fallback` says that an older value was served instead. */
  | {
    readonly type: "cache.load_error";
    readonly key: string;
    readonly error: unknown;
    readonly fallback: boolean;
    readonly background: boolean;
  }
  /** An entry could not be read back, which counts as a miss. */
  | { readonly type: "cache.unreadable"; readonly key: string; readonly error: unknown }
  /** An entry does not fit the schema of the reader, which counts as a miss. */
  | { readonly type: "cache.schema_mismatch"; readonly key: string; readonly issues: readonly string[] }
  /** The store refused or failed an operation, which went on without it. */
  | { readonly type: "cache.error"; readonly operation: string; readonly key?: string; readonly error: unknown }
  /** An invalidation ended; `queued` ones are replayed before the next read is trusted. */
  | {
    readonly type: "cache.invalidate";
    readonly by: "key" | "tag" | "pattern" | "clear";
    readonly what: readonly string[];
    readonly status: "done" | "queued";
  }
  /** Invalidations that had been queued during an outage have reached Redis. */
  | { readonly type: "cache.replayed"; readonly count: number }
  /** The records of invalidations were lost or reset, so everything cached before is a miss. */
  | { readonly type: "cache.epoch" }
  /** A connection to Redis is up. */
  | { readonly type: "redis.connected"; readonly client: string }
  /** A connection to Redis was lost or could not be made; attempts go on. */
  | { readonly type: "redis.disconnected"; readonly client: string; readonly error?: unknown }
  /** The circuit breaker changed its state. */
  | { readonly type: "redis.circuit"; readonly state: "open" | "half-open" | "closed" }
  /** Something works, but probably not as meant. */
  | { readonly type: "warning"; readonly message: string };

/** Takes every event. What it throws is ignored, so that watching cannot break what is watched. */
export type EventListener = (event: LarderEvent) => void;

/** Wraps a listener so that it cannot throw into its caller; `undefined` when nobody listens. */
export function safeListener(listener: EventListener | undefined): EventListener | undefined {
  return listener && ((event) => {
    try {
      listener(event);
    } catch {
      // Watching must not break what is watched.
    }
  });
}
