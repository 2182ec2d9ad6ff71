/** What was done with locks in this process. */
export interface LockStats {
  /** Locks and permits that were acquired. */
  readonly acquired: number;
  /** Those that had to wait in line, however that ended. */
  readonly waited: number;
  /** How long was waited in line by all together, in seconds. */
  readonly waitSeconds: number;
  /** Those that were not free in time. */
  readonly timedOut: number;
  /** Those that were not free, and were not waited for, as by `tryAcquire()`. */
  readonly busy: number;
  /** Those that were lost while they were held. */
  readonly lost: number;
  /** Those that are held now. */
  readonly held: number;
  /** How many wait now. */
  readonly waiting: number;
  /** Calls of `idempotent()`: they ran the job, were given what was kept, found it running, or failed. */
  readonly idempotent: {
    readonly ran: number;
    readonly kept: number;
    readonly running: number;
    readonly failed: number;
  };
  /** Calls of `once()`: they ran the job, found it not due or running, or failed. */
  readonly once: { readonly ran: number; readonly skipped: number; readonly failed: number };
}

/** What is counted where locks are acquired. */
export type AcquirerStats = Omit<LockStats, "idempotent" | "once">;

/** Counts how calls end. */
export class CallCounts<State extends string> {
  readonly #counts: Record<State | "failed", number>;

  constructor(...states: State[]) {
    const zeros = [...states, "failed"].map((state) => [state, 0] as const);
    this.#counts = Object.fromEntries(zeros) as Record<State | "failed", number>;
  }

  /** Counts a call by what it gives. */
  async count<Result>(call: Promise<Result>, stateOf: (result: Result) => State): Promise<Result> {
    try {
      const result = await call;
      this.#counts[stateOf(result)]++;
      return result;
    } catch (error) {
      this.#counts.failed++;
      throw error;
    }
  }

  /** The counts so far. */
  get(): Readonly<Record<State | "failed", number>> {
    return { ...this.#counts };
  }
}
