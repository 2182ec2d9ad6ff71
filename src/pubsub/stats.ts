/** What was done with channels in this process. */
export interface PubSubStats {
  /** Messages that were published. */
  readonly published: number;
  /** Messages that arrived at a subscription. */
  readonly received: number;
  /** Messages that were dropped since a loop was slow. */
  readonly dropped: number;
  /** Messages that could not be read, or did not fit the schema. */
  readonly refused: number;
  /** How often touch was lost, so that messages may have been missed. */
  readonly gaps: number;
  /** Subscriptions that are open now. */
  readonly subscriptions: number;
  /** Messages that wait for their loops now. */
  readonly waiting: number;
}

/** The same, while it is counted. */
export type PubSubCounts = { -readonly [Name in keyof PubSubStats]: PubSubStats[Name] };
