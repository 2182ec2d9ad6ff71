import type { Deadline } from "./deadline.ts";

/** What ends at a time, by `performance.now()`. */
export interface Due {
  /** When. */
  deadline: number;
  /** Milliseconds that a process that was busy gives it to look again. */
  readonly gracePeriod: number;
  /** How often it was given them. */
  gracePeriods: number;
  /** Until when it may be given more time because replies are arriving. */
  most?: number;
  /** Whether the process is known to have been busy, although it may not come late now. */
  busy?: boolean;
  /** The deadline of the call that it is a part of. */
  readonly within?: Deadline | undefined;
}

/** Milliseconds that a process that is not busy may be late. */
export const LATE = 25;
/** How often a process that is busy each time looks again. */
const MOST = 3;

/**
 * Gives what is due more time if it is noticed late: a process that was busy until now has not looked yet whether the
 * replies are there. It looks once more, and if it is late again, again, but not for ever.
 */
export function gracePeriod(dues: readonly Due[], now: number): void {
  const late = dues.some(({ deadline }) => now - deadline > LATE);
  for (const due of dues) {
    if (due.deadline > now || due.gracePeriods >= MOST || !(late || due.busy)) continue;
    due.busy = false;
    due.deadline = now + due.gracePeriod;
    due.gracePeriods++;
    due.within?.extend(due.deadline);
  }
}

/**
 * So many times its grace period is what somebody is given at most because replies are arriving: 15 seconds of 250 ms
 * each.
 */
const LONGEST = 60;

/**
 * Gives what is due more time while replies are arriving: a deadline is for a server that is silent. What is large, or
 * stands behind what is, takes its time on a line that is slow.
 */
export function whileMoving(dues: readonly Due[], movedAt: number | undefined, now: number): void {
  if (movedAt === undefined) return;
  for (const due of dues) {
    if (due.deadline > now) continue;
    due.most ??= due.deadline + LONGEST * due.gracePeriod;
    const until = Math.min(due.most, movedAt + 2 * due.gracePeriod);
    if (until <= now) continue;
    due.deadline = until;
    due.within?.extend(until);
  }
}
