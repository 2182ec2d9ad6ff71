/** What a worker is told. */
export interface Setup {
  readonly worker: number;
  readonly namespace: string;
  readonly buckets: number;
  /** The port of the server that knows what is true. */
  readonly truth: number;
  /** The port of a node of the cluster. */
  readonly node?: number;
  /** The ports of the Sentinels. */
  readonly sentinels?: readonly number[];
}

/** Numbers of sessions. */
export interface Sessions {
  /** As "replicated: true" said. */
  replicated: number;
  /** As "replicated: false" said. */
  others: number;
}

/** What came of the calls of a tenth of a second: by bucket, how many there were and how many failed. */
export interface Bin {
  readonly at: number;
  readonly calls: Record<number, [calls: number, failed: number]>;
}

/** What a worker tells at its end. */
export interface Told {
  /** Reads that were answered from the cache. */
  hits: number;
  /** Reads that showed what had been invalidated before they began. */
  stale: number;
  /** Sessions that were acknowledged: those that replicas had, and the others. */
  readonly begun: Sessions;
  /** Those of them that are not there in the end. */
  readonly lost: Sessions;
  /** How often one was not found that is there in the end. */
  hidden: number;
  /** Why calls failed. */
  readonly refusals: Record<string, number>;
}

/** Milliseconds of a bin. */
export const BIN = 100;
/** Keys, identities. */
export const KEYS = 120;
/** How many calls a limit admits. */
export const LIMIT = 40;
