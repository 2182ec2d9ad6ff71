/** What was done with locks in this process. */
export interface LockStats {
  /** Locks and permits that were acquired. */
  readonly acquired: number;
  /** Those that had to wait in line, however that ended. */
  readonly waited: number;
  /** Those that were not free in time. */
  readonly timedOut: number;
  /** Those that were lost while they were held. */
  readonly lost: number;
  /** Those that are held now. */
  readonly held: number;
  /** How many wait now. */
  readonly waiting: number;
}
