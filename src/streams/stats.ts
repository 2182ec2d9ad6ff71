/** What was done with streams in this process. */
export interface StreamStats {
  /** Messages that were added. */
  readonly added: number;
  /** Messages that were acknowledged. */
  readonly handled: number;
  /** How often a message was put off, to be tried again. */
  readonly retried: number;
  /** Messages that were given up. */
  readonly dead: number;
  /** Messages that could not be read, or did not fit the schema. */
  readonly refused: number;
  /** Messages that were taken over from a consumer that died or left. */
  readonly claimed: number;
  /** Messages that were lost to another consumer, this one having been silent for too long. */
  readonly lost: number;
  /** How often messages were missing that nobody had handled. */
  readonly gaps: number;
  /** Consumers that are running now. */
  readonly consumers: number;
  /** Messages that are in hand now: fetched, being handled, or waiting for another attempt. */
  readonly pending: number;
}

/** The same, while it is counted. */
export type StreamCounts = { -readonly [Name in keyof StreamStats]: StreamStats[Name] };
