/** What ends at a time, by `performance.now()`. */
export interface Due {
  /** When. */
  deadline: number;
  /** A process that was busy has given it more time, once. */
  respited: boolean;
}

/** Milliseconds that a deadline may be noticed late by a process that is not busy. */
const LATE = 25;

/**
 * Gives what is due more time, half its timeout and once, if it is noticed late: a process that was busy until now has not looked yet
 * whether the replies are there.
 */
export function respite(dues: readonly Due[], now: number, timeout: number): void {
  if (!dues.some(({ deadline }) => now - deadline > LATE)) return;
  for (const due of dues) {
    if (due.deadline > now || due.respited) continue;
    due.deadline = now + timeout / 2;
    due.respited = true;
  }
}
