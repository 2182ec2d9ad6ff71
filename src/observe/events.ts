import { callQuietly } from "../util/callbacks.ts";

/** Which Redis server an event is about. */
export interface ServerEvent {
  /** What the server is used for; one may be all of it. Larder always says so. */
  readonly server?: ServerRole;
  /** Its host and port, as far as the client tells them. */
  readonly address?: string;
}

/** What a Redis server is used for: the cache, what must not be lost (`state`), or all of it. */
export type ServerRole = "all" | "cache" | "state";

/**
 * What became of a loader's value: `stored` · `skipped`: the loader said so · `absent`: it gave `undefined`, and what
 * was kept is gone · `unstorable`: it is too long or cannot be written · `unavailable`: the store did not take part ·
 * `invalidated`: an invalidation came first · `superseded`: a newer write did, or the lease was lost.
 */
export type LoadEnd =
  | "stored"
  | "skipped"
  | "absent"
  | "unstorable"
  | "unavailable"
  | "invalidated"
  | "superseded";

/** Something that happened, told to the `on` listener of `connect()`. Switch on `type`. */
export type LarderEvent =
  /** A value was served; `stale` says that it was past its freshness. */
  | { readonly type: "cache.hit"; readonly key: string; readonly stale: boolean }
  /** There was nothing to serve. */
  | { readonly type: "cache.miss"; readonly key: string }
  /** A loader returned; `end` says what became of its value. */
  | {
    readonly type: "cache.load";
    readonly key: string;
    readonly milliseconds: number;
    readonly stored: boolean;
    /** Larder always says so. */
    readonly end?: LoadEnd;
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
  /**
   * The store refused or failed an operation, which went on without it. A call with many keys tells once which of them
   * failed.
   */
  | {
    readonly type: "cache.error";
    readonly operation: string;
    readonly key?: string;
    /** The keys or tags that failed in a call with many. */
    readonly keys?: readonly string[];
    readonly error: unknown;
  }
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
  /** A session was begun. */
  | { readonly type: "session.create"; readonly handle: string; readonly userId: string }
  /** A token of the right form came, but there is no such session: it ended, or somebody guesses. */
  | { readonly type: "session.unknown"; readonly handle: string }
  /** A session was ended. */
  | { readonly type: "session.destroy"; readonly handle: string }
  /** A session got a new id. */
  | { readonly type: "session.regenerate"; readonly from: string; readonly handle: string }
  /** Sessions of a user made room for a new one, as `maxPerUser` says. */
  | {
    readonly type: "session.evict";
    readonly userId: string;
    readonly count: number;
    readonly handles: readonly string[];
  }
  /** All sessions of a user or with a tag were ended. */
  | { readonly type: "session.revoke"; readonly by: "user" | "tag"; readonly what: string; readonly count: number }
  /** The data of a session could not be read back, which counts as no session. */
  | { readonly type: "session.unreadable"; readonly handle: string; readonly error: unknown }
  /** The data of a session do not fit the schema, which counts as no session. */
  | { readonly type: "session.schema_mismatch"; readonly handle: string; readonly issues: readonly string[] }
  /** The store did not answer, which by option counts as no session. */
  | { readonly type: "session.error"; readonly operation: string; readonly error: unknown }
  /** There is no metadata of an image that is there; see the error for why. */
  | { readonly type: "image.error"; readonly filename: string; readonly error: unknown }
  /** The content of an image is not what the extension of its name stands for. */
  | { readonly type: "image.mismatch"; readonly filename: string; readonly wanted: string; readonly got: string }
  /** A connection to Redis is up. */
  | ServerEvent & { readonly type: "redis.connected"; readonly client: string }
  /**
   * A connection to Redis was lost or could not be made; attempts go on. With an `error` there was no connection to
   * lose.
   */
  | ServerEvent & {
    readonly type: "redis.disconnected";
    readonly client: string;
    readonly error?: unknown;
    /** By what a loss was noticed, if that is known. */
    readonly reason?: unknown;
  }
  /** The circuit breaker changed its state. */
  | ServerEvent & { readonly type: "redis.circuit"; readonly state: "open" | "half-open" | "closed" }
  /** Redis refuses what Larder needs; told once a minute for each code. */
  | ServerEvent & {
    readonly type: "redis.refused";
    readonly operation: string;
    readonly code: string;
    readonly error: unknown;
  }
  /** A write of so many commands took longer than the option `slowerThan`, as this process saw it. */
  | ServerEvent & {
    readonly type: "redis.slow";
    readonly operation: string;
    readonly commands: number;
    readonly milliseconds: number;
  }
  /** A rate limit refused a call. */
  | {
    readonly type: "limit.refused";
    readonly name: string;
    readonly id: string;
    readonly limit: number;
    readonly retryAfter: number;
    readonly source: "redis" | "memory" | "deny-cache" | "local" | "policy";
  }
  /** A guard that only tries a rate limit out would have refused a request. */
  | { readonly type: "limit.shadow"; readonly name: string; readonly id: string; readonly route: string }
  /** Redis does not answer the rate limits: from now on the policies of the presets decide. */
  | { readonly type: "limit.degraded"; readonly error: unknown }
  /** Redis answers the rate limits again. */
  | { readonly type: "limit.recovered" }
  /** A lock or a permit was acquired, after so many milliseconds. */
  | { readonly type: "lock.acquired"; readonly name: string; readonly token: number; readonly milliseconds: number }
  /** Somebody stood in line for a lock, and got it, or not in time. */
  | { readonly type: "lock.waited"; readonly name: string; readonly milliseconds: number; readonly acquired: boolean }
  /**
   * A lock was lost, or may have been, while it was held: it was not extended in time, or the server does not know it
   * any more.
   */
  | { readonly type: "lock.lost"; readonly name: string; readonly token: number; readonly reason: "expired" | "gone" }
  /**
   * Messages of a channel may be missing: touch was lost and is back (`lost`), or a loop was slow and some were dropped
   * (`full`).
   */
  | { readonly type: "channel.gap"; readonly channel: string; readonly reason: "lost" | "full" }
  /** A message of a channel cannot be read, or does not fit the schema. */
  | { readonly type: "channel.refused"; readonly channel: string; readonly issues: readonly string[] }
  /** A message of a stream was put off, after an attempt that failed: it is tried again after so many milliseconds. */
  | {
    readonly type: "stream.retry";
    readonly stream: string;
    readonly group: string;
    readonly id: string;
    readonly attempt: number;
    readonly delay: number;
    readonly error: unknown;
  }
  /** A message of a stream was given up, after so many attempts: it is a dead letter. */
  | {
    readonly type: "stream.dead";
    readonly stream: string;
    readonly group: string;
    readonly id: string;
    readonly attempts: number;
    readonly error: unknown;
  }
  /** A message of a stream cannot be read, or does not fit the schema. */
  | {
    readonly type: "stream.refused";
    readonly stream: string;
    readonly group: string;
    readonly id: string;
    readonly issues: readonly string[];
  }
  /** So many messages of a stream were taken over from a consumer that died or left. */
  | { readonly type: "stream.claimed"; readonly stream: string; readonly group: string; readonly count: number }
  /** So many messages that were in hand are another consumer's: this one was silent for too long. */
  | { readonly type: "stream.lost"; readonly stream: string; readonly group: string; readonly count: number }
  /**
   * Messages of a stream are missing that the group has not handled: they were trimmed (`trimmed`), or the group was
   * gone and is made anew (`lost`).
   */
  | {
    readonly type: "stream.gap";
    readonly stream: string;
    readonly group: string;
    readonly reason: "trimmed" | "lost";
    readonly missing?: number;
  }
  /** A consumer cannot reach the store, and goes on when it is back. Told once for each outage. */
  | { readonly type: "stream.error"; readonly stream: string; readonly group: string; readonly error: unknown }
  /** What an operation wrote did not reach so many replicas in time, or nobody knows: a failover may lose it. */
  | { readonly type: "replicas.missed"; readonly operation: string; readonly replicas: number }
  /** Something works, but probably not as meant. */
  | { readonly type: "warning"; readonly message: string };

/**
 * Takes every event. What it throws is ignored, as is a promise that it returns and that rejects: watching cannot break
 * what is watched.
 */
export type EventListener = (event: LarderEvent) => void;

/**
 * Wraps a listener so that it can neither throw into its caller nor end the process; `undefined` when nobody listens.
 */
export function safeListener(listener: EventListener | undefined): EventListener | undefined {
  return listener && ((event) => callQuietly(listener, event));
}
