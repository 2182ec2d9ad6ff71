/** What a worker is told. */
export interface Setup {
  readonly worker: number;
  readonly workers: number;
  readonly namespace: string;
  readonly buckets: number;
  /** The port of the server that knows what is true. */
  readonly truth: number;
  /** The port of a node of the cluster. */
  readonly node?: number;
  /** The ports of the Sentinels. */
  readonly sentinels?: readonly number[];
}

/** What came of the calls of a tenth of a second: by bucket, how many there were and how many failed. */
export interface Bin {
  readonly at: number;
  readonly calls: Record<number, [calls: number, failed: number]>;
}

/** What a worker tells at its end. */
export interface Told {
  /** What was looked at, by the promise it is about. */
  readonly looked: Record<string, number>;
  /** What of it broke the promise. */
  readonly broken: Record<string, number>;
  /** What was seen besides, which is no promise. */
  readonly others: Record<string, number>;
  /** Why calls failed. */
  readonly refusals: Record<string, number>;
}

/** Milliseconds of a bin. */
export const BIN = 100;
/** Keys, identities. */
export const KEYS = 120;
/** How many calls a limit admits. */
export const LIMIT = 40;

/** What is promised, service by service, and what is no promise. */
export const PROMISES: Record<string, { readonly promise: string; readonly unit: string }> = {
  cache: { promise: "nothing stale", unit: "hits" },
  sessions: { promise: "none lost that a replica had", unit: "sessions" },
  limits: { promise: "none over", unit: "identities" },
  locks: { promise: "one holder, its number larger than all before", unit: "locks" },
  jobs: { promise: "done once, where a replica had it (`idempotent()`)", unit: "jobs" },
  streams: { promise: "each handled that a replica had, in the order of its key", unit: "messages" },
  channels: { promise: "none missing without a gap", unit: "messages" },
};
